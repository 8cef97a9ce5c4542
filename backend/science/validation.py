"""Learning on the rows of each fold, scoring on the others, and the model that is kept."""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from backend.science.catalogue import ESTIMATORS
from backend.science.holdout import HoldoutPredictions, predict_fold
from backend.science.intervals import bootstrap_intervals
from backend.science.metrics import METRICS
from backend.science.reporting import Part, Report
from backend.science.scores import score, undefined_metrics
from backend.science.splits import Fold, Rows, Split
from backend.science.target import Target

BASELINE: Final = "dummy_baseline"
LEARNING_STARTS: Final = 0.1
LEARNING_ENDS: Final = 0.9
Floats = npt.NDArray[np.float64]


class Learner(Protocol):
    """Makes a fitted model from some of the known rows."""

    def learn(self, rows: Rows, report: Report) -> Any:
        """A model that has seen these rows alone; progress is told from 0 to 1."""

    def features(self, rows: Rows) -> Any:
        """Of these rows, in the form that the model takes."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """How predictions become scores.

    Attributes
    ----------
    weights
        Of all known rows, shape (n,); None counts each once.
    quantile
        The one that is fitted, of quantile regression.
    seed
        Of the fit.
    """

    target: Target
    weights: Floats | None
    quantile: float | None
    seed: int


@dataclass(frozen=True, slots=True)
class Validated:
    """A fitted model and what it is worth; without a hold-out there are no metrics.

    Attributes
    ----------
    model
        Learnt from `split.train`.
    holdout
        The predictions of the first repeat.
    metrics, intervals
        Of these predictions, together; bootstrap intervals of 95 %.
    spread
        Mean and standard deviation of each metric over all folds; empty with one.
    folds
        `{repeat, fold, rows, metrics}` of each fold; empty where a fold is one row.
    baseline_metrics
        The same rows scored for predictions that ignore the features.
    undefined
        Titles of the metrics that these rows do not define.
    """

    model: Any
    holdout: HoldoutPredictions | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, dict[str, float]] = field(default_factory=dict)
    spread: dict[str, dict[str, float]] = field(default_factory=dict)
    folds: list[dict[str, Any]] = field(default_factory=list)
    baseline_metrics: dict[str, float] = field(default_factory=dict)
    undefined: list[str] = field(default_factory=list)


def validate(learner: Learner, scoring: Scoring, split: Split, report: Report) -> Validated:
    """Fit and score each fold, then fit the model that is kept.

    Parameters
    ----------
    learner
        Learns anew for each fold.
    scoring, split
        The known rows, and which of them are held out when.
    report
        Told the metrics of each fold once they are known.
    """
    parts = split.learned
    told: list[dict[str, Any]] = []
    first: list[HoldoutPredictions] = []
    model: Any = None
    for number, fold in enumerate(split.folds):
        name = "" if split.is_one_holdout else f"Fold {number + 1} of {len(split.folds)}"
        model = learner.learn(fold.train, _part(report, number, parts, name))
        predictions = predict_fold(model, learner.features(fold.held), scoring.target, fold)
        if split.kind != "leave_one_out":
            metrics = _score(scoring, predictions, [fold], _classes(scoring.target, model))
            told.append(
                {
                    "repeat": fold.repeat,
                    "fold": fold.fold,
                    "rows": len(fold.held),
                    "metrics": metrics,
                }
            )
            report.tell("metrics", told[-1])
        if fold.repeat == 0:
            first.append(_aligned(predictions, model, scoring.target, split))
    if not split.is_one_holdout:
        model = learner.learn(split.train, _part(report, parts - 1, parts, "All rows"))
    if not split.folds:
        return Validated(model)
    report(LEARNING_ENDS, "Scoring")
    return _judge(model, scoring, split, first, told)


def _part(report: Report, number: int, parts: int, name: str) -> Part:
    width = (LEARNING_ENDS - LEARNING_STARTS) / parts
    start = LEARNING_STARTS + width * number
    return Part(report, start, start + width, name)


def _judge(
    model: Any,
    scoring: Scoring,
    split: Split,
    predictions: list[HoldoutPredictions],
    told: list[dict[str, Any]],
) -> Validated:
    """Scores of all first predictions together, and the same for the baseline."""
    folds = [fold for fold in split.folds if fold.repeat == 0]
    holdout = _together(predictions)
    classes = _classes(scoring.target, model)
    if split.is_one_holdout:
        metrics = told[0]["metrics"]
    else:
        metrics = _score(scoring, holdout, folds, classes)
    with_probabilities = holdout.probabilities is not None
    return Validated(
        model=model,
        holdout=holdout,
        metrics=metrics,
        intervals=_intervals(scoring, holdout, folds, classes, metrics),
        spread=_spread(told),
        folds=told,
        baseline_metrics=_baseline(scoring, split, folds),
        undefined=undefined_metrics(
            scoring.target.task, metrics, with_probabilities=with_probabilities
        ),
    )


def _together(parts: list[HoldoutPredictions]) -> HoldoutPredictions:
    """All folds in the order of the rows."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    shares = [part.probabilities for part in parts if part.probabilities is not None]
    return HoldoutPredictions(
        rows=rows[order],
        observed=np.concatenate([part.observed for part in parts])[order],
        predicted=np.concatenate([part.predicted for part in parts])[order],
        probabilities=np.concatenate(shares)[order] if shares else None,
        folds=np.concatenate([part.folds for part in parts])[order],
    )


def _aligned(
    predictions: HoldoutPredictions, model: Any, target: Target, split: Split
) -> HoldoutPredictions:
    """The probabilities with a column for each class of the target, also for those not learnt."""
    if split.is_one_holdout or predictions.probabilities is None:
        return predictions
    classes = np.unique(target.values)
    if len(model.classes_) == len(classes):
        return predictions
    wide = np.zeros((len(predictions.rows), len(classes)))
    wide[:, np.searchsorted(classes, model.classes_)] = predictions.probabilities
    return HoldoutPredictions(
        predictions.rows,
        predictions.observed,
        predictions.predicted,
        wide,
        predictions.folds,
    )


def _score(
    scoring: Scoring,
    predictions: HoldoutPredictions,
    folds: list[Fold],
    classes: npt.NDArray[Any] | None,
) -> dict[str, float]:
    return score(
        scoring.target.task,
        predictions.observed,
        predictions.predicted,
        _told_probabilities(scoring, predictions, folds),
        classes,
        weights=_weights(scoring, predictions),
        quantile=scoring.quantile,
    )


def _told_probabilities(
    scoring: Scoring, predictions: HoldoutPredictions, folds: list[Fold]
) -> Floats | None:
    """None where a fold had no row of a class that it held out: nobody asked for its chance."""
    if predictions.probabilities is None or len(folds) == 1:
        return predictions.probabilities
    values = scoring.target.values
    learnt = all(np.isin(values[fold.held], values[fold.train]).all() for fold in folds)
    return predictions.probabilities if learnt else None


def _weights(scoring: Scoring, predictions: HoldoutPredictions) -> Floats | None:
    if scoring.weights is None:
        return None
    # Both are sorted by row: positions of the predicted rows among the known ones.
    return scoring.weights[np.searchsorted(scoring.target.rows, predictions.rows)]


def _intervals(
    scoring: Scoring,
    holdout: HoldoutPredictions,
    folds: list[Fold],
    classes: npt.NDArray[Any] | None,
    metrics: dict[str, float],
) -> dict[str, dict[str, float]]:
    return bootstrap_intervals(
        scoring.target.task,
        holdout.observed,
        holdout.predicted,
        _told_probabilities(scoring, holdout, folds),
        classes,
        values=metrics,
        weights=_weights(scoring, holdout),
        quantile=scoring.quantile,
        seed=scoring.seed,
    )


def _spread(told: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Over the folds; of metrics that all folds define."""
    if len(told) < 2:
        return {}
    names = [name for name in METRICS if all(name in fold["metrics"] for fold in told)]
    values = {name: np.array([fold["metrics"][name] for fold in told]) for name in names}
    return {
        name: {"mean": float(found.mean()), "sd": float(found.std(ddof=1))}
        for name, found in values.items()
    }


def _baseline(scoring: Scoring, split: Split, folds: list[Fold]) -> dict[str, float]:
    target, weights = scoring.target, scoring.weights
    blank = np.zeros((len(target.values), 1))
    parts: list[HoldoutPredictions] = []
    for fold in folds:
        baseline = ESTIMATORS[BASELINE].build({}, target.task, scoring.seed)
        learnt = None if weights is None else weights[fold.train]
        baseline.fit(blank[fold.train], target.values[fold.train], sample_weight=learnt)
        guessed = predict_fold(baseline, blank[fold.held], target, fold)
        parts.append(_aligned(guessed, baseline, target, split))
    if split.is_one_holdout:
        classes = _classes(target, baseline)
    else:
        classes = None if target.task == "regression" else np.unique(target.values)
    return _score(scoring, _together(parts), folds, classes)


def _classes(target: Target, model: Any) -> npt.NDArray[Any] | None:
    """In the order of the model's probabilities."""
    return None if target.task == "regression" else np.asarray(model.classes_)
