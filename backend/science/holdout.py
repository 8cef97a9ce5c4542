"""Predictions for rows that were held out, and what makes the scores doubtful."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.science.predict import takes_most_probable
from backend.science.refusal import FitRefused
from backend.science.splits import Fold, Split
from backend.science.target import Target

DEPENDENT: Final = (
    "The intervals of the metrics draw rows one by one. Where rows of one group, or of "
    "neighbouring times, are alike, they are too narrow."
)


@dataclass(frozen=True, slots=True)
class HoldoutPredictions:
    """Predictions for rows that the predicting model did not learn from.

    Attributes
    ----------
    rows
        Row numbers in the dataset, counted from 0, shape (n,); each stands once.
    observed, predicted
        Shape (n,).
    probabilities
        Shape (n, number of classes), where the estimator has them.
    folds
        In which fold each row was held out, shape (n,).
    """

    rows: npt.NDArray[np.int64]
    observed: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float64] | None
    folds: npt.NDArray[np.int64]


def predict_fold(model: Any, features: Any, target: Target, fold: Fold) -> HoldoutPredictions:
    """What a model predicts for the rows that its fold held out.

    Parameters
    ----------
    model
        Fitted on the training rows of the fold.
    features
        Of the held-out rows, in the form that the model takes.
    target, fold
        All known rows, and which of them are held out.
    """
    probabilities = (
        np.asarray(model.predict_proba(features), dtype=np.float64)
        if target.task != "regression" and hasattr(model, "predict_proba")
        else None
    )
    if probabilities is not None and takes_most_probable(model):
        predicted = model.classes_[probabilities.argmax(axis=1)]
    else:
        predicted = np.asarray(model.predict(features))
    return HoldoutPredictions(
        rows=target.rows[fold.held].astype(np.int64),
        observed=target.values[fold.held],
        predicted=predicted,
        probabilities=probabilities,
        folds=np.full(len(fold.held), fold.fold, dtype=np.int64),
    )


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
        Some rows to learn from are of one class only.
    """
    if target.task == "regression":
        return
    for fold in split.folds:
        learnt = target.values[fold.train]
        if (learnt == learnt[0]).all():
            where = "" if split.is_one_holdout else f" in fold {fold.fold + 1}"
            advice = {
                "holdout": "Shuffle the rows",
                "time": "Choose fewer periods, or another validation",
                "group": "Choose fewer folds, or another validation",
            }.get(split.kind, "Choose another validation, or add rows of the rare class")
            raise FitRefused(
                f"The rows to learn from have one class of {name} only{where}. {advice}.", name
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
        texts.append(_without_class(unlearnt, split, name))
    if dropped:
        texts.append(f"Left out for want of a known {name}: {dropped:,} rows.")
    if undefined:
        texts.append(f"Not defined for these hold-out rows: {', '.join(undefined)}.")
    if split.column is not None or split.follows == "before":
        texts.append(DEPENDENT)
    texts += [library_text(warning) for warning in raised]
    return list(dict.fromkeys(texts))


def library_text(warning: warnings.WarningMessage) -> str:
    """The first line of a library's warning."""
    return f"{warning.category.__name__}: {str(warning.message).partition(chr(10))[0]}"


def _without_class(unlearnt: list[str], split: Split, name: str) -> str:
    names = ", ".join(unlearnt)
    if split.is_one_holdout:
        return f"No row to learn from has the class {names} of {name}."
    return f"In some folds no row to learn from has the class {names} of {name}."


def _unlearnt(target: Target, split: Split) -> list[str]:
    """Classes that stand in a fold's held-out rows, but not in its rows to learn from."""
    if target.task == "regression":
        return []
    codes = np.unique(target.values, return_inverse=True)
    missing: set[int] = set()
    for fold in split.folds:
        learnt = np.bincount(codes[1][fold.train], minlength=len(codes[0]))
        missing |= set(codes[1][fold.held][learnt[codes[1][fold.held]] == 0].tolist())
    return [str(codes[0][code]) for code in sorted(missing)]
