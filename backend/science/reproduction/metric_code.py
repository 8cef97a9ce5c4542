"""The code that computes each metric, for scripts; `scores` computes the same at once."""

from collections.abc import Mapping, Sequence
from typing import Final

# Over observed, predicted, weight (None: all rows count the same), and for classes shares (their
# probabilities), classes, and second (whether the class is the second of two).
_WEIGHTED: Final = "sample_weight=weight"
_AVERAGES: Final = {
    f"{name}_{average}": f"metrics.{name}_score(observed, predicted, average='{average}', "
    f"zero_division=0, {_WEIGHTED})"
    for name in ("f1", "precision", "recall")
    for average in ("macro", "weighted")
}
_PLAIN: Final = {
    "r2": "r2_score",
    "explained_variance": "explained_variance_score",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "median_absolute_error": "median_absolute_error",
    "d2_absolute_error": "d2_absolute_error_score",
    "mape": "mean_absolute_percentage_error",
    "rmsle": "root_mean_squared_log_error",
    "poisson_deviance": "mean_poisson_deviance",
    "gamma_deviance": "mean_gamma_deviance",
    "accuracy": "accuracy_score",
    "balanced_accuracy": "balanced_accuracy_score",
    "matthews_correlation": "matthews_corrcoef",
    "cohen_kappa": "cohen_kappa_score",
}
_CODE: Final[Mapping[str, str]] = {
    **{
        name: f"metrics.{function}(observed, predicted, {_WEIGHTED})"
        for name, function in _PLAIN.items()
    },
    **_AVERAGES,
    "max_error": "metrics.max_error(observed, predicted)",
    "d2_poisson": f"metrics.d2_tweedie_score(observed, predicted, power=1, {_WEIGHTED})",
    "pinball_loss": f"metrics.mean_pinball_loss(observed, predicted, alpha=QUANTILE, {_WEIGHTED})",
    "d2_pinball": f"metrics.d2_pinball_score(observed, predicted, alpha=QUANTILE, {_WEIGHTED})",
    "jaccard_macro": "metrics.jaccard_score(observed, predicted, average='macro', "
    f"zero_division=0, {_WEIGHTED})",
    **{
        name: f"metrics.{name}_score(observed == second, predicted == second, zero_division=0, "
        f"{_WEIGHTED})"
        for name in ("precision", "recall", "f1")
    },
    "log_loss": f"metrics.log_loss(observed, shares, labels=classes, {_WEIGHTED})",
    "top_2_accuracy": "metrics.top_k_accuracy_score(observed, shares, k=2, labels=classes, "
    f"{_WEIGHTED})",
    "top_3_accuracy": "metrics.top_k_accuracy_score(observed, shares, k=3, labels=classes, "
    f"{_WEIGHTED})",
}
_OF_TWO: Final[Mapping[str, str]] = {
    "brier_score": f"metrics.brier_score_loss(observed == second, shares[:, 1], {_WEIGHTED})",
    "roc_auc": f"metrics.roc_auc_score(observed == second, shares[:, 1], {_WEIGHTED})",
    "average_precision": "metrics.average_precision_score(observed == second, shares[:, 1], "
    f"{_WEIGHTED})",
}
_OF_MANY: Final[Mapping[str, str]] = {
    "brier_score": f"metrics.brier_score_loss(observed, shares, labels=classes, {_WEIGHTED})",
    **{
        name: f"metrics.{name}_score(observed[:, None] == classes, shares, average='macro', "
        f"{_WEIGHTED})"
        for name in ("roc_auc", "average_precision")
    },
}


def metric_code(name: str, *, classes: int) -> str:
    """One expression for a metric.

    Parameters
    ----------
    name
        One of `metrics.METRICS`.
    classes
        How many there are; 0 of numbers.
    """
    by_probability = _OF_TWO if classes == 2 else _OF_MANY
    return by_probability.get(name) or _CODE[name]


def needs(names: Sequence[str], word: str, *, classes: int) -> bool:
    """Whether the code of one of these metrics mentions a name."""
    return any(word in metric_code(name, classes=classes) for name in names)
