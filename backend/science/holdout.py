"""What a fit is worth: predictions for the rows it did not see, their scores, and doubts."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.science.catalogue import ESTIMATORS
from backend.science.refusal import FitRefused
from backend.science.scores import score, undefined_metrics
from backend.science.splits import Split
from backend.science.target import Target

BASELINE: Final = "dummy_baseline"


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
class Judgement:
    """A fit on its hold-out; without one there are no predictions and no metrics.

    Attributes
    ----------
    baseline_metrics
        The same rows scored for predictions that ignore the features.
    undefined
        Titles of the metrics that these rows do not define.
    """

    holdout: HoldoutPredictions | None
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    undefined: list[str]


def judge(model: Any, features: Any, target: Target, split: Split, seed: int) -> Judgement:
    """Score a fitted model on the hold-out.

    Parameters
    ----------
    model
        Fitted on the training rows of the split.
    features
        Of the hold-out rows, in the form that the model takes.
    target, split
        All known rows, and which of them are held out.
    seed
        Of the fit.
    """
    if len(split.holdout) == 0:
        return Judgement(None, {}, {}, [])
    holdout = _predict(model, features, target, split)
    metrics = _score(target, holdout, model)
    baseline = ESTIMATORS[BASELINE].build({}, target.task, seed)
    blank = np.zeros((len(target.values), 1))
    baseline.fit(blank[split.train], target.values[split.train])
    guessed = _predict(baseline, blank[split.holdout], target, split)
    undefined = undefined_metrics(
        target.task, metrics, with_probabilities=holdout.probabilities is not None
    )
    return Judgement(holdout, metrics, _score(target, guessed, baseline), undefined)


def _predict(model: Any, features: Any, target: Target, split: Split) -> HoldoutPredictions:
    probabilities = (
        np.asarray(model.predict_proba(features))
        if target.task != "regression" and hasattr(model, "predict_proba")
        else None
    )
    return HoldoutPredictions(
        rows=target.rows[split.holdout].astype(np.int64),
        observed=target.values[split.holdout],
        predicted=np.asarray(model.predict(features)),
        probabilities=probabilities,
    )


def _score(target: Target, holdout: HoldoutPredictions, model: Any) -> dict[str, float]:
    classes = None if target.task == "regression" else model.classes_
    return score(target.task, holdout.observed, holdout.predicted, holdout.probabilities, classes)


def check_classes(target: Target, split: Split, name: str) -> None:
    """A file sorted by class leaves one class to learn from when its last rows are held out.

    Parameters
    ----------
    target, split
        The known rows.
    name
        The target's name.

    Raises
    ------
    FitRefused
        There is one class only.
    """
    if target.task != "regression" and len(np.unique(target.values[split.train])) < 2:
        raise FitRefused(
            f"The rows to learn from have one class of {name} only. Shuffle the rows.", name
        )


def doubts(
    raised: Sequence[warnings.WarningMessage],
    undefined: Sequence[str],
    target: Target,
    split: Split,
    *,
    dropped: int,
    name: str,
) -> list[str]:
    """Warnings of the libraries and ours, each once.

    Parameters
    ----------
    raised
        By the libraries.
    undefined
        Titles of metrics.
    target, split
        The known rows.
    dropped
        Number of rows without a known target.
    name
        The target's name.
    """
    texts = list(split.warnings)
    if unlearnt := _unlearnt(target, split):
        texts.append(f"No row to learn from has the class {', '.join(unlearnt)} of {name}.")
    if dropped:
        texts.append(f"Left out for want of a known {name}: {dropped:,} rows.")
    if undefined:
        texts.append(f"Not defined for these hold-out rows: {', '.join(undefined)}.")
    texts += [f"{w.category.__name__}: {str(w.message).partition(chr(10))[0]}" for w in raised]
    return list(dict.fromkeys(texts))


def _unlearnt(target: Target, split: Split) -> list[str]:
    """Classes that stand in the hold-out alone."""
    if target.task == "regression":
        return []
    learnt, held = (target.values[rows] for rows in (split.train, split.holdout))
    return [str(name) for name in np.setdiff1d(held, learnt)]
