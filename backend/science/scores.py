"""Values of the metrics for predictions."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sklearn
from scipy.special import xlogy
from sklearn import metrics as sk

from backend.science.intervals import Rows, counted_rows, resampled
from backend.science.metrics import METRICS
from backend.science.spec import Task

Array = npt.NDArray[Any]
Weights = npt.NDArray[np.float64] | None
Values = dict[str, float]


def _averaged(name: str, average: str) -> Callable[..., float]:
    """Precision, recall or F1; a class that nobody predicted counts as zero."""
    compute = getattr(sk, f"{name}_score")

    def value(observed: Array, predicted: Array, sample_weight: Weights = None) -> float:
        """The score of n rows."""
        return float(
            compute(
                observed, predicted, average=average, zero_division=0, sample_weight=sample_weight
            )
        )

    return value


PREDICTED: Final[Mapping[str, Callable[..., float]]] = {
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "median_absolute_error": sk.median_absolute_error,
    "d2_absolute_error": sk.d2_absolute_error_score,
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1_macro": _averaged("f1", "macro"),
    "f1_weighted": _averaged("f1", "weighted"),
    "precision_macro": _averaged("precision", "macro"),
    "precision_weighted": _averaged("precision", "weighted"),
    "recall_macro": _averaged("recall", "macro"),
    "recall_weighted": _averaged("recall", "weighted"),
    "jaccard_macro": _averaged("jaccard", "macro"),
    "matthews_correlation": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
}
SMALLEST: Final = float(np.finfo(np.float64).eps)
TOP: Final[Mapping[str, int]] = {"top_2_accuracy": 2, "top_3_accuracy": 3}


def score(
    task: Task,
    observed: Array,
    predicted: Array,
    probabilities: Array | None,
    classes: Array | None,
    *,
    weights: Weights = None,
    quantile: float | None = None,
) -> Values:
    """Every metric of the task that is defined for these rows.

    Parameters
    ----------
    observed, predicted
        Target values, shape (n,).
    probabilities
        Class probabilities, shape (n, number of classes), where the estimator has them.
    classes
        The classes in the order of the columns of `probabilities`.
    weights
        Of the rows, shape (n,); those of weight 0 are not there.
    quantile
        The one that was fitted, for the metrics of quantile regression.

    Returns
    -------
    dict
        Finite values only; R² of a single row, for instance, is left out.
    """
    observed, predicted, probabilities, weights = counted_rows(
        observed, predicted, probabilities, weights
    )
    if len(observed) == 0:
        return {}
    if task != "regression":
        # Numbers in the order of the names give the same scores much faster.
        names = np.unique(
            np.concatenate([observed, predicted, *([] if classes is None else [classes])])
        )
        observed, predicted = np.searchsorted(names, observed), np.searchsorted(names, predicted)
        classes = None if classes is None else np.searchsorted(names, classes)
    if weights is None and task == "regression":
        values = _of_numbers(observed, predicted, quantile)
    elif weights is None:
        values = _counted(task, observed, predicted, probabilities, classes)
    else:
        values = _by_library(task, observed, predicted, probabilities, classes, weights, quantile)
    # What is not defined is left out, and the fit says so in its own words.
    return {
        name: values[name]
        for name, spec in METRICS.items()
        if task in spec.tasks and np.isfinite(values.get(name, np.nan))
    }


def _counted(
    task: Task,
    observed: Array,
    predicted: Array,
    probabilities: Array | None,
    classes: Array | None,
) -> Values:
    """All from one count of the rows: of a small fit, scikit-learn's take longer than the fit.

    They are the same to the last digits but one or two.
    """
    has_all = classes is not None and np.isin(observed, classes).all()
    rows = Rows(observed, predicted, probabilities if has_all else None, classes, None)
    found = resampled(task, rows, np.ones((1, len(observed))))
    return {name: float(value[0]) for name, value in found.items()}


def _by_library(
    task: Task,
    observed: Array,
    predicted: Array,
    probabilities: Array | None,
    classes: Array | None,
    weights: Weights,
    quantile: float | None,
) -> Values:
    """Each by scikit-learn's function."""
    quick = sklearn.config_context(skip_parameter_validation=True, assume_finite=True)
    with warnings.catch_warnings(), quick:
        warnings.simplefilter("ignore")
        if task == "regression":
            return _of_weighted_numbers(observed, predicted, weights, quantile)
        values = _of_classes(observed, predicted, weights)
        if task == "binary":
            values |= _of_second_class(observed, predicted, classes, weights)
        if probabilities is not None and classes is not None:
            values |= _of_probabilities(observed, probabilities, np.asarray(classes), weights)
    return values


def undefined_metrics(
    task: Task, values: Mapping[str, float], *, with_probabilities: bool
) -> list[str]:
    """Titles of the metrics that should be among the values, but are not defined for the rows."""
    return [
        spec.title
        for name, spec in METRICS.items()
        if task in spec.tasks
        and name not in values
        and not spec.conditional
        and (with_probabilities or not spec.needs_probabilities)
    ]


def _of_numbers(observed: Array, predicted: Array, quantile: float | None) -> Values:
    """By scikit-learn's formulas, without its checks: they take longer than a small fit."""
    if not np.isfinite(predicted).all():
        return {}
    error = observed - predicted
    size = np.abs(error)
    values: Values = {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(size.mean()),
        "median_absolute_error": float(np.median(size)),
        "max_error": float(size.max()),
    }
    if len(observed) > 1:
        spread = ((observed - observed.mean()) ** 2).sum()
        from_median = np.abs(observed - np.median(observed)).sum()
        values["r2"] = _explained((error**2).sum(), spread)
        values["explained_variance"] = _explained(((error - error.mean()) ** 2).sum(), spread)
        values["d2_absolute_error"] = _explained(size.sum(), from_median)
    if (observed != 0).all():
        values["mape"] = float(np.mean(size / np.maximum(np.abs(observed), SMALLEST)))
    if observed.min() >= 0 and predicted.min() >= 0:
        logs = np.log1p(observed) - np.log1p(predicted)
        values["rmsle"] = float(np.sqrt(np.mean(logs**2)))
    if observed.min() >= 0 and predicted.min() > 0:
        values |= _of_counts(observed, predicted)
    if quantile is not None:
        values["pinball_loss"] = float(sk.mean_pinball_loss(observed, predicted, alpha=quantile))
        if len(observed) > 1:
            values["d2_pinball"] = float(sk.d2_pinball_score(observed, predicted, alpha=quantile))
    return values


def _of_counts(observed: Array, predicted: Array) -> Values:
    values = {"poisson_deviance": _poisson(observed, predicted)}
    if observed.max() > observed.min():
        of_mean = _poisson(observed, observed.mean())
        values["d2_poisson"] = 1 - values["poisson_deviance"] / of_mean
    if observed.min() > 0:
        ratio = observed / predicted
        values["gamma_deviance"] = float(2 * np.mean(ratio - np.log(ratio) - 1))
    return values


def _poisson(observed: Array, predicted: Array) -> float:
    return float(2 * np.mean(xlogy(observed, observed / predicted) - observed + predicted))


def _explained(lost: float, whole: float) -> float:
    """The share of what could be lost that is not; of nothing all or nothing."""
    if whole > 0:
        return float(1 - lost / whole)
    return 0.0 if lost > 0 else 1.0


def _of_weighted_numbers(
    observed: Array, predicted: Array, weights: Weights, quantile: float | None
) -> Values:
    if not np.isfinite(predicted).all():
        return {}
    counted = (observed, predicted, weights)
    values: Values = {
        name: float(PREDICTED[name](observed, predicted, sample_weight=weights))
        for name in ("r2", "rmse", "mae", "median_absolute_error", "d2_absolute_error")
    }
    values["max_error"] = float(sk.max_error(observed, predicted))
    if len(observed) > 1:
        values["explained_variance"] = _value(sk.explained_variance_score, *counted)
    if (observed != 0).all():
        values["mape"] = _value(sk.mean_absolute_percentage_error, *counted)
    if observed.min() >= 0 and predicted.min() >= 0:
        values["rmsle"] = _value(sk.root_mean_squared_log_error, *counted)
    if observed.min() >= 0 and predicted.min() > 0:
        values["poisson_deviance"] = _value(sk.mean_poisson_deviance, *counted)
        if observed.max() > observed.min():
            values["d2_poisson"] = _value(sk.d2_tweedie_score, *counted, power=1)
    if observed.min() > 0 and predicted.min() > 0:
        values["gamma_deviance"] = _value(sk.mean_gamma_deviance, *counted)
    if quantile is not None:
        values["pinball_loss"] = _value(sk.mean_pinball_loss, *counted, alpha=quantile)
        values["d2_pinball"] = _value(sk.d2_pinball_score, *counted, alpha=quantile)
    return values


def _value(
    compute: Callable[..., float],
    observed: Array,
    predicted: Array,
    weights: Weights,
    **options: float,
) -> float:
    return float(compute(observed, predicted, sample_weight=weights, **options))


def _of_classes(observed: Array, predicted: Array, weights: Weights) -> Values:
    names = (
        "accuracy",
        "balanced_accuracy",
        "jaccard_macro",
        "matthews_correlation",
        "cohen_kappa",
    )
    values: Values = {
        name: float(PREDICTED[name](observed, predicted, sample_weight=weights)) for name in names
    }
    for average in ("macro", "weighted"):
        # The three at once: they count the same.
        found = sk.precision_recall_fscore_support(
            observed, predicted, average=average, zero_division=0, sample_weight=weights
        )
        for name, value in zip(("precision", "recall", "f1"), found[:3], strict=True):
            values[f"{name}_{average}"] = float(value)
    return values


def _of_second_class(
    observed: Array, predicted: Array, classes: Array | None, weights: Weights
) -> Values:
    if classes is None or len(classes) != 2:
        return {}
    found = sk.precision_recall_fscore_support(
        observed == classes[1],
        predicted == classes[1],
        average="binary",
        zero_division=0,
        sample_weight=weights,
    )
    return {"precision": float(found[0]), "recall": float(found[1]), "f1": float(found[2])}


def _of_probabilities(
    observed: Array, probabilities: Array, classes: Array, weights: Weights
) -> Values:
    if not np.isin(observed, classes).all() or not np.isfinite(probabilities).all():
        return {}  # a class without training rows has no probability
    count = len(classes)
    told = {"sample_weight": weights}
    values: Values = {
        "log_loss": float(sk.log_loss(observed, probabilities, labels=classes, **told))
    }
    if count == 2:
        second, shares = observed == classes[1], probabilities[:, 1]
        values["brier_score"] = float(sk.brier_score_loss(second, shares, **told))
    else:
        brier = sk.brier_score_loss(observed, probabilities, labels=classes, **told)
        values["brier_score"] = float(brier)
        for name, most in TOP.items():
            if count > most:
                top = sk.top_k_accuracy_score(
                    observed, probabilities, k=most, labels=classes, **told
                )
                values[name] = float(top)
    if len(np.unique(observed)) < count:
        return values  # a class without hold-out rows has no curve
    if count > 2:
        second, shares = observed[:, None] == classes[None, :], probabilities
    values["roc_auc"] = float(sk.roc_auc_score(second, shares, average="macro", **told))
    values["average_precision"] = float(
        sk.average_precision_score(second, shares, average="macro", **told)
    )
    return values
