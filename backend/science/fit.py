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
from backend.science.column_types import ColumnDescription, InputColumn
from backend.science.estimator_spec import EstimatorSpec
from backend.science.frames import feature_frame, input_columns
from backend.science.pipeline import build_pipeline
from backend.science.refusal import FitRefused
from backend.science.scores import score, undefined_metrics
from backend.science.spec import FitSpec, Task
from backend.science.splits import Split, split_rows
from backend.science.target import Target, read_target

OnProgress = Callable[[float, str], None]
BASELINE: Final = "dummy_baseline"
# Members added per step of a growing ensemble: progress without a cost that shows.
GROWTH_STEPS: Final = 20
LEARNING_STARTS: Final = 0.1
LEARNING_ENDS: Final = 0.9


@dataclass(frozen=True, slots=True)
class HoldoutPredictions:
    """Predictions for the rows that the fit did not see.

    Attributes
    ----------
    rows
        Row numbers in the dataset, counted from 0, shape (n,).
    observed, predicted
        Shape (n,).
    probabilities
        Shape (n, number of classes), where the estimator has them.
    """

    rows: npt.NDArray[np.int64]
    observed: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit found.

    Attributes
    ----------
    excluded
        Columns that were left out, with the reason, as `{column, reason}`.
    classes
        In the order of the probabilities; None for regression.
    """

    task: Task
    inputs: list[InputColumn]
    excluded: list[dict[str, str]]
    classes: list[Any] | None
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    holdout: HoldoutPredictions | None
    warnings: list[str]
    rows_used: int
    rows_dropped: int
    pipeline: Pipeline
    example: pd.DataFrame


def fit(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    *,
    on_progress: OnProgress,
) -> FitResult:
    """Fit an estimator in its pipeline and score it on the hold-out.

    Nothing of the hold-out enters preprocessing or learning.

    Parameters
    ----------
    spec
        What to do; the same spec, table and library versions give the same result to the bit.
    table
        Arrow table of the dataset version.
    columns
        Descriptions of all its columns.
    on_progress
        Called with a fraction from 0 to 1 and a text.

    Raises
    ------
    FitRefused
        The data do not allow this fit; the text says why.
    """
    estimator = ESTIMATORS[spec.estimator]
    on_progress(0.02, "Reading columns")
    data = _prepare(spec, table, columns)
    train, target = data.frame.iloc[data.split.train], data.target
    on_progress(LEARNING_STARTS, f"Learning from {len(train):,} rows")
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        pipeline = build_pipeline(estimator, spec.params, target.task, spec.seed, data.inputs)
        _check_size(estimator, spec, len(train))
        _learn(pipeline, estimator, train, target.values[data.split.train], on_progress)
        on_progress(LEARNING_ENDS, "Scoring")
        holdout = _predict_holdout(pipeline, data.frame, target, data.split)
        metrics = _score(target.task, holdout, pipeline)
        baseline = _baseline(spec, data)
    undefined = _undefined(target.task, holdout, metrics)
    dropped = table.num_rows - len(target.values)
    return FitResult(
        task=target.task,
        inputs=data.inputs,
        excluded=data.excluded,
        classes=None if target.task == "regression" else list(pipeline.classes_.tolist()),
        metrics=metrics,
        baseline_metrics=baseline,
        holdout=holdout,
        warnings=_texts(raised, data.split, dropped, undefined, _unlearnt(data), spec.target),
        rows_used=len(train),
        rows_dropped=dropped,
        pipeline=pipeline,
        example=train.head(3).reset_index(drop=True),
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What stands before learning: the known rows, split, and their features."""

    target: Target
    split: Split
    frame: pd.DataFrame
    inputs: list[InputColumn]
    excluded: list[dict[str, str]]


def _prepare(spec: FitSpec, table: pa.Table, columns: Sequence[ColumnDescription]) -> _Prepared:
    described = {column.name: column for column in columns}
    target = read_target(table, _column(described, spec.target), spec.task)
    estimator = ESTIMATORS[spec.estimator]
    if target.task not in estimator.tasks:
        raise FitRefused(
            f"{estimator.title} does not do {target.task}, which {spec.target} asks for. "
            "Choose another estimator, or set the task.",
            spec.target,
        )
    used, excluded = _choose_features(spec, columns, described)
    split = split_rows(spec.validation, target.task, target.values, spec.seed)
    _check_classes(spec, target, split)
    frame = feature_frame(table, used).iloc[target.rows].reset_index(drop=True)
    inputs = input_columns(frame.iloc[split.train], used)
    return _Prepared(target, split, frame, inputs, excluded)


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


def _check_classes(spec: FitSpec, target: Target, split: Split) -> None:
    """A file sorted by class leaves one class to learn from when its last rows are held out."""
    if target.task != "regression" and len(np.unique(target.values[split.train])) < 2:
        raise FitRefused(
            f"The rows to learn from have one class of {spec.target} only. Shuffle the rows.",
            spec.target,
        )


def _unlearnt(data: _Prepared) -> list[str]:
    """Classes that stand in the hold-out alone."""
    if data.target.task == "regression":
        return []
    learnt, held = (data.target.values[rows] for rows in (data.split.train, data.split.holdout))
    return [str(name) for name in np.setdiff1d(held, learnt)]


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


def _predict_holdout(
    pipeline: Pipeline, frame: pd.DataFrame, target: Target, split: Split
) -> HoldoutPredictions | None:
    if len(split.holdout) == 0:
        return None
    features = frame.iloc[split.holdout]
    probabilities = (
        np.asarray(pipeline.predict_proba(features))
        if target.task != "regression" and hasattr(pipeline, "predict_proba")
        else None
    )
    return HoldoutPredictions(
        rows=target.rows[split.holdout].astype(np.int64),
        observed=target.values[split.holdout],
        predicted=np.asarray(pipeline.predict(features)),
        probabilities=probabilities,
    )


def _score(task: Task, holdout: HoldoutPredictions | None, pipeline: Pipeline) -> dict[str, float]:
    if holdout is None:
        return {}
    classes = None if task == "regression" else pipeline.classes_
    return score(task, holdout.observed, holdout.predicted, holdout.probabilities, classes)


def _undefined(
    task: Task, holdout: HoldoutPredictions | None, metrics: dict[str, float]
) -> list[str]:
    if holdout is None:
        return []
    has_probabilities = holdout.probabilities is not None
    return undefined_metrics(task, metrics, with_probabilities=has_probabilities)


def _baseline(spec: FitSpec, data: _Prepared) -> dict[str, float]:
    """The same rows scored for predictions that ignore the features."""
    task, train = data.target.task, data.split.train
    pipeline = Pipeline([("estimate", ESTIMATORS[BASELINE].build({}, task, spec.seed))])
    blank = data.frame[[data.inputs[0].name]]
    pipeline.fit(blank.iloc[train], data.target.values[train])
    holdout = _predict_holdout(pipeline, blank, data.target, data.split)
    return _score(task, holdout, pipeline)


def _texts(
    raised: Sequence[warnings.WarningMessage],
    split: Split,
    dropped: int,
    undefined: Sequence[str],
    unlearnt: Sequence[str],
    target: str,
) -> list[str]:
    """Warnings of the libraries and ours, each once."""
    texts = list(split.warnings)
    if unlearnt:
        texts.append(f"No row to learn from has the class {', '.join(unlearnt)} of {target}.")
    if dropped:
        texts.append(f"Left out for want of a known {target}: {dropped:,} rows.")
    if undefined:
        texts.append(f"Not defined for these hold-out rows: {', '.join(undefined)}.")
    texts += [f"{w.category.__name__}: {str(w.message).partition(chr(10))[0]}" for w in raised]
    return list(dict.fromkeys(texts))


def describe_inputs(inputs: Sequence[InputColumn]) -> list[dict[str, Any]]:
    """The inputs of a pipeline as JSON."""
    return [asdict(column) for column in inputs]
