"""Values of the metrics for predictions."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

from backend.science.metrics import METRICS
from backend.science.spec import Task

Array = npt.NDArray[Any]
PREDICTED: Final[Mapping[str, Callable[[Array, Array], float]]] = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "median_absolute_error": sk.median_absolute_error,
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1_macro": lambda observed, predicted: sk.f1_score(
        observed, predicted, average="macro", zero_division=0
    ),
}


def score(
    task: Task,
    observed: Array,
    predicted: Array,
    probabilities: Array | None,
    classes: Array | None,
) -> dict[str, float]:
    """Every metric of the task that is defined for these rows.

    Parameters
    ----------
    observed, predicted
        Target values, shape (n,).
    probabilities
        Class probabilities, shape (n, number of classes), where the estimator has them.
    classes
        The classes in the order of the columns of `probabilities`.

    Returns
    -------
    dict
        Finite values only; R² of a single row, for instance, is left out.
    """
    values: dict[str, float] = {}
    with warnings.catch_warnings():
        # What is not defined is left out, and the fit says so in its own words.
        warnings.simplefilter("ignore")
        for name, spec in METRICS.items():
            if task not in spec.tasks:
                continue
            if not spec.needs_probabilities:
                values[name] = float(PREDICTED[name](observed, predicted))
            elif probabilities is not None and classes is not None:
                values.update(_from_probabilities(name, observed, probabilities, classes))
    return {name: value for name, value in values.items() if np.isfinite(value)}


def undefined_metrics(
    task: Task, values: Mapping[str, float], *, with_probabilities: bool
) -> list[str]:
    """Titles of the metrics that should be among the values, but are not defined for the rows."""
    return [
        spec.title
        for name, spec in METRICS.items()
        if task in spec.tasks
        and name not in values
        and (with_probabilities or not spec.needs_probabilities)
    ]


def _from_probabilities(
    name: str, observed: Array, probabilities: Array, classes: Array
) -> dict[str, float]:
    if not np.isin(observed, classes).all():
        return {}  # a class without training rows has no probability
    if name == "log_loss":
        return {name: float(sk.log_loss(observed, probabilities, labels=classes))}
    if len(np.unique(observed)) < len(classes):
        return {}  # a class without hold-out rows has no ROC curve
    if len(classes) == 2:
        return {name: float(sk.roc_auc_score(observed == classes[1], probabilities[:, 1]))}
    return {
        name: float(
            sk.roc_auc_score(
                observed, probabilities, labels=classes, multi_class="ovr", average="macro"
            )
        )
    }
