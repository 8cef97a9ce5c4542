"""One fit: prepare, learn, score, and say what happened."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from backend.science.catalogue import ESTIMATORS
from backend.science.coefficients import read_coefficients
from backend.science.column_types import ColumnDescription, ImageInput, InputColumn
from backend.science.frames import typical_row
from backend.science.holdout import HoldoutPredictions, doubts
from backend.science.inference.terms import Coefficients
from backend.science.learning import TableLearner, fitted_quantile
from backend.science.metrics import METRICS, main_metric
from backend.science.prepare import Prepared, prepare
from backend.science.reporting import Report, Silent
from backend.science.spec import FitSpec, Task
from backend.science.splits import Known, Rows, Split
from backend.science.target import Target
from backend.science.validation import (
    LEARNING_STARTS,
    Learner,
    Scoring,
    Validated,
    validate,
)

NO_ROWS: Final[Rows] = np.empty(0, dtype=np.int64)
NOBODY: Final = Silent()
SHOWN_NAMES: Final = 10
CLASSICAL: Final = "classical"


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit found.

    Attributes
    ----------
    target, known, split
        The known rows, what their split depends on, and which were held out when.
    validated
        Predictions for them and their scores.
    main_metric
        Name of the metric that ranks the fit.
    excluded
        Columns that were left out, with the reason, as `{column, reason}`.
    classes
        In the order of the probabilities; None for regression.
    pipeline
        A fitted Pipeline, or for images an ImageClassifier.
    example
        A made-up row in the form that the pipeline takes; none of images.
    coefficients
        Of a linear estimator.
    best_params
        What a search found.
    chosen
        The estimator's parameters of each model that was learnt, in order; none of images.
    """

    target: Target
    known: Known
    split: Split
    validated: Validated
    main_metric: str
    inputs: Sequence[InputColumn | ImageInput]
    excluded: list[dict[str, str]]
    classes: list[Any] | None
    warnings: list[str]
    rows_used: int
    rows_dropped: int
    rows_withheld: int
    pipeline: Any
    example: pd.DataFrame
    coefficients: Coefficients | None = None
    best_params: dict[str, Any] | None = field(default=None)
    chosen: Sequence[Mapping[str, Any]] = ()

    @property
    def task(self) -> Task:
        """What was fitted."""
        return self.target.task

    @property
    def holdout(self) -> HoldoutPredictions | None:
        """Predictions for the rows held out; None where all were learnt from."""
        return self.validated.holdout

    @property
    def metrics(self) -> dict[str, float]:
        """Of the rows held out, together."""
        return self.validated.metrics

    @property
    def baseline_metrics(self) -> dict[str, float]:
        """The same for predictions that ignore the features."""
        return self.validated.baseline_metrics


def fit(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    *,
    report: Report = NOBODY,
    withheld: Rows = NO_ROWS,
    stored_split: Path | None = None,
) -> FitResult:
    """Fit an estimator in its pipeline and score it on rows that it has not learnt from.

    Parameters
    ----------
    spec
        What to do; the same spec, table and library versions give the same result to the bit.
    table, columns
        Arrow table of the dataset version, and descriptions of all its columns.
    report
        Told of the progress, the steps and the scores of each fold.
    withheld
        Numbers of rows that are neither learnt from nor scored on.
    stored_split
        For `same_rows` the file of the other fit's split.

    Raises
    ------
    FitRefused
        The data do not allow this fit; the text says why.
    """
    report(0.02, "Reading columns")
    data = prepare(spec, table, columns, withheld, stored_split)
    _tell_prepared(data, report)
    split, task = data.split, data.target.task
    learner = TableLearner(spec, ESTIMATORS[spec.estimator], data, parts=split.learned)
    validated, raised = validate_watched(learner, _scoring(spec, data), split, report)
    classes = None if task == "regression" else list(validated.model.classes_.tolist())
    coefficients = _coefficients(spec, data, learner, validated.model, classes)
    of_coefficients = [] if coefficients is None else coefficients.warnings
    told = _doubts(spec, data, validated, raised) + learner.warnings + of_coefficients
    tell_warnings(told, report)
    return FitResult(
        target=data.target,
        known=data.known,
        split=split,
        validated=validated,
        main_metric=main_metric(task, spec.main_metric).name,
        inputs=data.inputs,
        excluded=data.excluded,
        classes=classes,
        warnings=list(dict.fromkeys(told)),
        rows_used=len(split.train),
        rows_dropped=data.dropped,
        rows_withheld=data.withheld,
        pipeline=validated.model,
        example=typical_row(data.frame.iloc[split.train]),
        coefficients=coefficients,
        best_params=None if learner.found is None else learner.found.best_params,
        chosen=learner.chosen,
    )


def validate_watched(
    learner: Learner, scoring: Scoring, split: Split, report: Report
) -> tuple[Validated, list[warnings.WarningMessage]]:
    """As `validation.validate`, with what the libraries warned of."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        return validate(learner, scoring, split, report), raised


def _scoring(spec: FitSpec, data: Prepared) -> Scoring:
    quantile = fitted_quantile(ESTIMATORS[spec.estimator], spec.params)
    return Scoring(data.target, data.weights, quantile, spec.seed)


def _doubts(
    spec: FitSpec,
    data: Prepared,
    validated: Validated,
    raised: Sequence[warnings.WarningMessage],
) -> list[str]:
    """Of the rows, and what the libraries said of them."""
    known = (data.target, data.split)
    found = doubts(raised, validated.undefined, *known, dropped=data.dropped, name=spec.target)
    chosen = main_metric(data.target.task, spec.main_metric).name
    return [*data.warnings, *found, *doubts_of_metric(chosen, validated)]


def _coefficients(
    spec: FitSpec,
    data: Prepared,
    learner: TableLearner,
    pipeline: Any,
    classes: list[Any] | None,
) -> Coefficients | None:
    """Of the model that is kept."""
    rows = data.split.train
    learnt = data.target.values[rows]
    params = ESTIMATORS[spec.estimator].Params.model_validate(spec.params)
    return read_coefficients(
        pipeline,
        data.frame.iloc[rows],
        learnt,
        classes,
        errors=getattr(params, "standard_errors", CLASSICAL),
        weights=learner.weights(rows, learnt),
        balanced=spec.class_weight != "none",
    )


def _tell_prepared(data: Prepared, report: Report) -> None:
    rows = f"{len(data.target.rows):,} rows with a known target"
    tell(report, f"{rows}, {counted(len(data.inputs), 'feature')}: {_names(data.inputs)}")
    if data.excluded:
        reasons = [f"{entry['column']} ({entry['reason']})" for entry in data.excluded]
        tell(report, f"Left out: {_listed(reasons)}")
    tell_split(data.split, report)
    report(LEARNING_STARTS, f"Learning from {len(data.split.train):,} rows")


def tell_split(split: Split, report: Report) -> None:
    """Say which rows are learnt from."""
    if not split.folds:
        tell(report, f"All {len(split.train):,} rows are learnt from; nothing is scored")
    elif split.is_one_holdout:
        held = len(split.folds[0].held)
        tell(report, f"{len(split.train):,} rows to learn from, {held:,} held out")
    else:
        tell(report, f"{counted(len(split.folds), 'fold')}, then all rows")


def tell_warnings(texts: Sequence[str], report: Report) -> None:
    """Each warning once."""
    for text in dict.fromkeys(texts):
        tell(report, f"Warning: {text}")


def tell(report: Report, text: str) -> None:
    """Add a line to the fit's log."""
    report.tell("log", {"text": text})


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _names(inputs: Sequence[InputColumn]) -> str:
    return _listed([column.name for column in inputs])


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - SHOWN_NAMES
    return ", ".join(texts[:SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def doubts_of_metric(name: str, validated: Validated) -> list[str]:
    """A main metric that the fit does not have ranks nothing."""
    if not validated.metrics or name in validated.metrics:
        return []
    if METRICS[name].title in validated.undefined:
        return []
    return [f"The main metric, {METRICS[name].title}, is not defined for this fit."]


def describe_inputs(inputs: Sequence[InputColumn | ImageInput]) -> list[dict[str, Any]]:
    """The inputs of a pipeline as JSON."""
    return [asdict(column) for column in inputs]
