"""One fit: prepare, learn, score, and say what happened."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from backend.science.catalogue import ESTIMATORS
from backend.science.coefficients import Coefficients, read_coefficients
from backend.science.column_types import ColumnDescription, ImageInput, InputColumn
from backend.science.estimator_spec import EstimatorSpec
from backend.science.frames import feature_frame, input_columns, typical_row
from backend.science.holdout import HoldoutPredictions, check_classes, doubts, judge
from backend.science.pipeline import build_pipeline
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec, Task
from backend.science.splits import Rows, Split, split_rows
from backend.science.target import Target, read_target

OnProgress = Callable[[float, str], None]
# Members added per step of a growing ensemble: progress without a cost that shows.
GROWTH_STEPS: Final = 20
NO_ROWS: Final[Rows] = np.empty(0, dtype=np.int64)
LEARNING_STARTS: Final = 0.1
LEARNING_ENDS: Final = 0.9


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit found.

    Attributes
    ----------
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
    """

    task: Task
    inputs: Sequence[InputColumn | ImageInput]
    excluded: list[dict[str, str]]
    classes: list[Any] | None
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    holdout: HoldoutPredictions | None
    warnings: list[str]
    rows_used: int
    rows_dropped: int
    rows_withheld: int
    pipeline: Any
    example: pd.DataFrame
    coefficients: Coefficients | None = None


def fit(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    *,
    on_progress: OnProgress,
    withheld: Rows = NO_ROWS,
) -> FitResult:
    """Fit an estimator in its pipeline and score it on the hold-out, which nothing learns from.

    Parameters
    ----------
    spec
        What to do; the same spec, table and library versions give the same result to the bit.
    table, columns
        Arrow table of the dataset version, and descriptions of all its columns.
    on_progress
        Called with a fraction from 0 to 1 and a text.
    withheld
        Numbers of rows that are neither learnt from nor scored on.

    Raises
    ------
    FitRefused
        The data do not allow this fit; the text says why.
    """
    on_progress(0.02, "Reading columns")
    estimator = ESTIMATORS[spec.estimator]
    data = _prepare(spec, table, columns, withheld)
    train, target = data.frame.iloc[data.split.train], data.target
    learnt = target.values[data.split.train]
    on_progress(LEARNING_STARTS, f"Learning from {len(train):,} rows")
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        pipeline = build_pipeline(estimator, spec.params, target.task, spec.seed, data.inputs)
        _check_size(estimator, spec, len(train))
        _learn(pipeline, estimator, train, learnt, on_progress)
        on_progress(LEARNING_ENDS, "Scoring")
        judged = judge(pipeline, data.frame.iloc[data.split.holdout], target, data.split, spec.seed)
    dropped = table.num_rows - len(target.values) - data.withheld
    told = doubts(raised, judged.undefined, target, data.split, dropped=dropped, name=spec.target)
    classes = None if target.task == "regression" else list(pipeline.classes_.tolist())
    return FitResult(
        task=target.task,
        inputs=data.inputs,
        excluded=data.excluded,
        classes=classes,
        metrics=judged.metrics,
        baseline_metrics=judged.baseline_metrics,
        holdout=judged.holdout,
        warnings=told,
        rows_used=len(train),
        rows_dropped=dropped,
        rows_withheld=data.withheld,
        pipeline=pipeline,
        example=typical_row(train),
        coefficients=read_coefficients(pipeline, train, learnt, classes),
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What stands before learning: the known rows, split, and their features."""

    target: Target
    split: Split
    frame: pd.DataFrame
    inputs: list[InputColumn]
    excluded: list[dict[str, str]]
    withheld: int


def _prepare(
    spec: FitSpec, table: pa.Table, columns: Sequence[ColumnDescription], withheld: Rows
) -> _Prepared:
    described = {column.name: column for column in columns}
    known = read_target(table, _column(described, spec.target), spec.task)
    target = known.without(withheld)
    estimator = ESTIMATORS[spec.estimator]
    if target.task not in estimator.tasks:
        raise FitRefused(
            f"{estimator.title} does not do {target.task}, which {spec.target} asks for. "
            "Choose another estimator, or set the task.",
            spec.target,
        )
    used, excluded = _choose_features(spec, columns, described)
    split = split_rows(spec.validation, target.task, target.values, spec.seed)
    check_classes(target, split, spec.target)
    frame = feature_frame(table, used).iloc[target.rows].reset_index(drop=True)
    inputs = input_columns(frame.iloc[split.train], used)
    left_out = len(known.rows) - len(target.rows)
    return _Prepared(target, split, frame, inputs, excluded, left_out)


def _column(described: dict[str, ColumnDescription], name: str) -> ColumnDescription:
    if name not in described:
        raise FitRefused(f"The dataset has no column {name!r}.", name)
    return described[name]


def _choose_features(
    spec: FitSpec, columns: Sequence[ColumnDescription], described: dict[str, ColumnDescription]
) -> tuple[list[ColumnDescription], list[dict[str, str]]]:
    """The columns to learn from: those asked for, else all that are good for it."""
    if spec.features is not None:
        if spec.target in spec.features:
            raise FitRefused("The target cannot be a feature.", spec.target)
        used = [_column(described, name) for name in spec.features]
        names = set(spec.features)
        others = [c for c in columns if c.name not in names and c.name != spec.target]
        if not used:
            raise FitRefused("No feature is chosen.")
        return used, [{"column": c.name, "reason": "not chosen"} for c in others]
    candidates = [column for column in columns if column.name != spec.target]
    used = [column for column in candidates if column.left_out_because is None]
    if not used:
        raise FitRefused("No column is left to learn from. Choose features yourself.")
    excluded = [
        {"column": column.name, "reason": column.left_out_because}
        for column in candidates
        if column.left_out_because is not None
    ]
    return used, excluded


def _check_size(estimator: EstimatorSpec, spec: FitSpec, rows: int) -> None:
    params = estimator.Params.model_validate(spec.params)
    neighbors = getattr(params, "n_neighbors", None)
    if neighbors is not None and neighbors > rows:
        raise FitRefused(
            f"{estimator.title} asks for {neighbors:,} neighbours, but there are only "
            f"{rows:,} rows to learn from."
        )


def _learn(
    pipeline: Pipeline,
    estimator: EstimatorSpec,
    features: pd.DataFrame,
    target: npt.NDArray[Any],
    on_progress: OnProgress,
) -> None:
    """Fit; an ensemble grows in steps, which gives the same trees as one go."""
    final = pipeline[-1]
    if estimator.grows is None:
        pipeline.fit(features, target)
        return
    total = getattr(final, estimator.grows)
    steps = min(GROWTH_STEPS, total)
    prepared = pipeline[:-1].fit_transform(features, target)
    final.set_params(warm_start=True)
    for step in range(1, steps + 1):
        members = total * step // steps
        final.set_params(**{estimator.grows: members}).fit(prepared, target)
        share = LEARNING_STARTS + (LEARNING_ENDS - LEARNING_STARTS) * step / steps
        on_progress(share, f"{members:,} of {total:,} trees")
    final.set_params(warm_start=False)


def describe_inputs(inputs: Sequence[InputColumn | ImageInput]) -> list[dict[str, Any]]:
    """The inputs of a pipeline as JSON."""
    return [asdict(column) for column in inputs]
