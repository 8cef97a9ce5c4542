"""The metrics are scikit-learn's, whichever way they are computed, and know their limits."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from backend.science.intervals import bootstrap_intervals
from backend.science.metrics import METRICS, main_metric
from backend.science.scores import score
from backend.science.spec import Task

RANDOM = np.random.default_rng(5)
Reference = Callable[..., float]


def _mean_curve(compute: Reference) -> Reference:
    """Of each class against the rest."""

    def value(observed: Any, shares: Any, sample_weight: Any = None) -> float:
        each = [
            compute(observed == name, shares[:, place], sample_weight=sample_weight)
            for place, name in enumerate(np.unique(observed))
        ]
        return float(np.mean(each))

    return value


def _averaged(compute: Any, average: str) -> Reference:
    return lambda *rows, **told: compute(*rows, average=average, zero_division=0, **told)


OF_CLASSES: dict[str, Reference] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "matthews_correlation": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
    "jaccard_macro": _averaged(sk.jaccard_score, "macro"),
    **{
        f"{name}_{average}": _averaged(getattr(sk, f"{name}_score"), average)
        for name in ("f1", "precision", "recall")
        for average in ("macro", "weighted")
    },
}
OF_SHARES: dict[str, Reference] = {
    "log_loss": sk.log_loss,
    "brier_score": sk.brier_score_loss,
    "roc_auc": _mean_curve(sk.roc_auc_score),
    "average_precision": _mean_curve(sk.average_precision_score),
    "top_2_accuracy": lambda *rows, **told: sk.top_k_accuracy_score(*rows, k=2, **told),
    "top_3_accuracy": lambda *rows, **told: sk.top_k_accuracy_score(*rows, k=3, **told),
}
OF_NUMBERS: dict[str, Reference] = {
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "median_absolute_error": sk.median_absolute_error,
    "d2_absolute_error": sk.d2_absolute_error_score,
    "mape": sk.mean_absolute_percentage_error,
    "rmsle": sk.root_mean_squared_log_error,
    "poisson_deviance": sk.mean_poisson_deviance,
    "gamma_deviance": sk.mean_gamma_deviance,
    "d2_poisson": lambda *rows, **told: sk.d2_tweedie_score(*rows, power=1, **told),
    "pinball_loss": lambda *rows, **told: sk.mean_pinball_loss(*rows, alpha=0.8, **told),
    "d2_pinball": lambda *rows, **told: sk.d2_pinball_score(*rows, alpha=0.8, **told),
}


def _guesses(names: list[str], count: int = 60) -> tuple[Any, Any, Any]:
    """Observed, predicted, and coarse shares, so that there are ties."""
    classes = np.array(names)
    observed = np.concatenate([classes, RANDOM.choice(classes, count - len(classes))])
    shares = RANDOM.integers(1, 6, (count, len(classes))) + 4 * (observed[:, None] == classes)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return observed, classes[shares.argmax(axis=1)], shares


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("names", [["a", "b", "c", "d"], ["x", "y", "z"]])
def test_metrics_of_many_classes_are_scikit_learns(names: list[str], weighted: bool) -> None:
    observed, predicted, shares = _guesses(names)
    weights = RANDOM.uniform(0.1, 3.0, len(observed)) if weighted else None
    found = score("multiclass", observed, predicted, shares, np.array(names), weights=weights)
    told = {"sample_weight": weights}
    wanted = {name: f(observed, predicted, **told) for name, f in OF_CLASSES.items()}
    # Three of three classes are always right.
    defined = {name: f for name, f in OF_SHARES.items() if len(names) > 3 or "3" not in name}
    wanted |= {name: f(observed, shares, **told) for name, f in defined.items()}
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_two_classes_are_scikit_learns(weighted: bool) -> None:
    observed, predicted, shares = _guesses(["no", "yes"])
    weights = RANDOM.uniform(0.1, 3.0, len(observed)) if weighted else None
    found = score("binary", observed, predicted, shares, np.array(["no", "yes"]), weights=weights)
    told: Any = {"sample_weight": weights}
    wanted = {name: f(observed, predicted, **told) for name, f in OF_CLASSES.items()}
    second = observed == "yes"
    for name in ("f1", "precision", "recall"):
        wanted[name] = getattr(sk, f"{name}_score")(second, predicted == "yes", **told)
    wanted["log_loss"] = sk.log_loss(observed, shares, **told)
    wanted["brier_score"] = sk.brier_score_loss(second, shares[:, 1], **told)
    wanted["roc_auc"] = sk.roc_auc_score(second, shares[:, 1], **told)
    wanted["average_precision"] = sk.average_precision_score(second, shares[:, 1], **told)
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_numbers_are_scikit_learns(weighted: bool) -> None:
    observed = RANDOM.gamma(2.0, 10.0, 50)
    predicted = observed * RANDOM.uniform(0.5, 1.5, 50)
    weights = RANDOM.uniform(0.1, 3.0, 50) if weighted else None
    found = score("regression", observed, predicted, None, None, weights=weights, quantile=0.8)
    wanted = {name: f(observed, predicted, sample_weight=weights) for name, f in OF_NUMBERS.items()}
    wanted["max_error"] = sk.max_error(observed, predicted)
    assert found == pytest.approx(wanted, rel=1e-12)
    assert set(wanted) == {name for name, spec in METRICS.items() if "regression" in spec.tasks}


def test_every_metric_of_classes_is_compared_with_scikit_learn() -> None:
    told = {name for name, spec in METRICS.items() if "regression" not in spec.tasks}
    assert told == {*OF_CLASSES, *OF_SHARES, "f1", "precision", "recall"}


def test_a_class_that_nobody_predicts_counts_as_zero_in_both_ways() -> None:
    observed, predicted = np.array(["a", "b", "c", "a"]), np.array(["a", "b", "a", "a"])
    quick = score("multiclass", observed, predicted, None, None)
    by_library = score("multiclass", observed, predicted, None, None, weights=np.ones(4))
    assert quick == pytest.approx(by_library, rel=1e-12)


@pytest.mark.parametrize(
    ("observed", "predicted", "missing"),
    [
        ([1.0, 0.0, 2.0], [1.0, 1.0, 1.5], {"mape", "gamma_deviance"}),
        ([-1.0, 3.0, 2.0], [1.0, 1.0, 1.5], {"rmsle", "poisson_deviance", "gamma_deviance"}),
        ([1.0, 3.0, 2.0], [-1.0, 1.0, 1.5], {"rmsle", "poisson_deviance", "d2_poisson"}),
        ([1.0], [2.0], {"r2", "explained_variance", "d2_absolute_error"}),
    ],
)
def test_what_the_values_do_not_define_is_left_out(
    observed: list[float], predicted: list[float], missing: set[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score("regression", np.array(observed), np.array(predicted), None, None)
    assert not missing & found.keys()
    assert {"rmse", "mae"} <= found.keys()


def test_rows_without_any_weight_have_no_metrics() -> None:
    values = np.array([1.0, 2.0])
    assert score("regression", values, values, None, None, weights=np.zeros(2)) == {}


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_rows_of_weight_zero_are_not_there(task: Task) -> None:
    weights = RANDOM.uniform(0.1, 3.0, 60)
    weights[:20] = 0.0
    shares: Any = None
    if task == "regression":
        observed = RANDOM.gamma(2.0, 10.0, 60)
        predicted = observed * RANDOM.uniform(0.5, 1.5, 60)
        # Neither an error of a million nor a zero counts.
        observed[:2] = [1e6, 0.0]
    else:
        observed, predicted, shares = _guesses(["a", "b", "c"])
        observed[:20] = "c"
    classes = None if shares is None else np.array(["a", "b", "c"])
    kept: list[Any] = [
        None if rows is None else rows[20:] for rows in (observed, predicted, shares, weights)
    ]
    found, alone = (
        score(task, o, p, s, classes, weights=w)
        for o, p, s, w in ((observed, predicted, shares, weights), kept)
    )
    assert alone
    assert found == alone
    drawn = [
        bootstrap_intervals(task, o, p, s, classes, values=alone, weights=w, quantile=None, seed=0)
        for o, p, s, w in ((observed, predicted, shares, weights), kept)
    ]
    assert drawn[0] == drawn[1]


def test_main_metric_is_what_every_estimator_has_unless_another_is_asked_for() -> None:
    assert main_metric("regression").name == "r2"
    assert main_metric("binary").name == main_metric("multiclass").name == "accuracy"
    assert main_metric("binary", "roc_auc").name == "roc_auc"
