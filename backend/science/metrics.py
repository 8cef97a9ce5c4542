"""The metrics of a fit: a table of what each is; importable without scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from backend.science.spec import Task

REGRESSION: Final[frozenset[Task]] = frozenset({"regression"})
CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})
BINARY: Final[frozenset[Task]] = frozenset({"binary"})
MULTICLASS: Final[frozenset[Task]] = frozenset({"multiclass"})


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    Attributes
    ----------
    greater_is_better
        Its direction.
    needs_probabilities
        Whether it is computed from class probabilities instead of predicted classes.
    conditional
        Whether it is for some targets or estimators only; where it is not, nobody misses it.
    """

    name: str
    title: str
    tasks: frozenset[Task]
    greater_is_better: bool
    description: str
    needs_probabilities: bool = False
    conditional: bool = False


_REGRESSION: Final = (
    MetricSpec(
        "r2",
        "R²",
        REGRESSION,
        True,
        "1 minus squared residuals over squared deviations from the hold-out's mean",
    ),
    MetricSpec(
        "explained_variance",
        "Explained variance",
        REGRESSION,
        True,
        "1 minus the variance of the residuals over that of the target; a constant shift is free",
    ),
    MetricSpec(
        "rmse",
        "Root mean squared error",
        REGRESSION,
        False,
        "root of the mean squared residual, in units of the target",
    ),
    MetricSpec(
        "mae",
        "Mean absolute error",
        REGRESSION,
        False,
        "mean absolute residual, in units of the target",
    ),
    MetricSpec(
        "median_absolute_error",
        "Median absolute error",
        REGRESSION,
        False,
        "the same as a median, which single rows do not move",
    ),
    MetricSpec("max_error", "Largest error", REGRESSION, False, "the largest absolute residual"),
    MetricSpec(
        "d2_absolute_error",
        "D² of absolute errors",
        REGRESSION,
        True,
        "1 minus absolute residuals over absolute deviations from the hold-out's median",
    ),
    MetricSpec(
        "mape",
        "Mean absolute percentage error",
        REGRESSION,
        False,
        "mean absolute residual as a share of the observed value; where none is zero",
        conditional=True,
    ),
    MetricSpec(
        "rmsle",
        "Root mean squared log error",
        REGRESSION,
        False,
        "root of the mean squared difference of log(1 + value); where nothing is negative",
        conditional=True,
    ),
    MetricSpec(
        "poisson_deviance",
        "Mean Poisson deviance",
        REGRESSION,
        False,
        "deviance of counts; where nothing observed is negative and predictions are positive",
        conditional=True,
    ),
    MetricSpec(
        "gamma_deviance",
        "Mean gamma deviance",
        REGRESSION,
        False,
        "deviance of positive amounts, relative to their size; where all are positive",
        conditional=True,
    ),
    MetricSpec(
        "d2_poisson",
        "D² of the Poisson deviance",
        REGRESSION,
        True,
        "1 minus the Poisson deviance over that of the hold-out's mean; where it is defined",
        conditional=True,
    ),
    MetricSpec(
        "pinball_loss",
        "Mean pinball loss",
        REGRESSION,
        False,
        "the loss of the quantile that was fitted; of quantile regression",
        conditional=True,
    ),
    MetricSpec(
        "d2_pinball",
        "D² of the pinball loss",
        REGRESSION,
        True,
        "1 minus the pinball loss over that of the hold-out's quantile; of quantile regression",
        conditional=True,
    ),
)
_CLASSES: Final = (
    MetricSpec("accuracy", "Accuracy", CLASSES, True, "share of rows whose class is right"),
    MetricSpec(
        "balanced_accuracy",
        "Balanced accuracy",
        CLASSES,
        True,
        "mean over classes of the share found",
    ),
    MetricSpec(
        "f1_macro",
        "F1, mean over classes",
        CLASSES,
        True,
        "mean over classes of the harmonic mean of precision and recall",
    ),
    MetricSpec(
        "f1_weighted", "F1, by class size", CLASSES, True, "the same, each class by its rows"
    ),
    MetricSpec(
        "precision_macro",
        "Precision, mean over classes",
        CLASSES,
        True,
        "mean over classes of the share of right rows among those predicted",
    ),
    MetricSpec(
        "precision_weighted",
        "Precision, by class size",
        CLASSES,
        True,
        "the same, each class by its rows",
    ),
    MetricSpec(
        "recall_macro",
        "Recall, mean over classes",
        CLASSES,
        True,
        "mean over classes, observed or predicted, of the share found",
    ),
    MetricSpec(
        "recall_weighted",
        "Recall, by class size",
        CLASSES,
        True,
        "the same, each class by its rows",
    ),
    MetricSpec("f1", "F1 of the second class", BINARY, True, "harmonic mean of the next two"),
    MetricSpec(
        "precision",
        "Precision of the second class",
        BINARY,
        True,
        "share of right rows among those predicted to be of the second class",
    ),
    MetricSpec(
        "recall", "Recall of the second class", BINARY, True, "share of the second class found"
    ),
    MetricSpec(
        "jaccard_macro",
        "Jaccard, mean over classes",
        CLASSES,
        True,
        "mean over classes of rows that are both predicted and observed over those that are either",
    ),
    MetricSpec(
        "matthews_correlation",
        "Matthews correlation",
        CLASSES,
        True,
        "correlation of predicted and observed classes; 0 is chance",
    ),
    MetricSpec(
        "cohen_kappa",
        "Cohen's kappa",
        CLASSES,
        True,
        "agreement beyond chance over the largest possible",
    ),
    MetricSpec(
        "log_loss",
        "Log loss",
        CLASSES,
        False,
        "mean negative log of the probability of the observed class",
        needs_probabilities=True,
    ),
    MetricSpec(
        "brier_score",
        "Brier score",
        CLASSES,
        False,
        "mean squared error of the probabilities, from 0 to 1 for two classes, "
        "summed over classes for more",
        needs_probabilities=True,
    ),
    MetricSpec(
        "roc_auc",
        "Area under the ROC curve",
        CLASSES,
        True,
        "chance that a row of a class gets a higher probability of it than another row; "
        "with three classes or more one against the rest, mean over classes",
        needs_probabilities=True,
    ),
    MetricSpec(
        "average_precision",
        "Average precision",
        CLASSES,
        True,
        "area under the precision-recall curve; of the second class of two, else mean over classes",
        needs_probabilities=True,
    ),
    MetricSpec(
        "top_2_accuracy",
        "Accuracy of the two most probable",
        MULTICLASS,
        True,
        "share of rows whose class is among the two most probable",
        needs_probabilities=True,
    ),
    MetricSpec(
        "top_3_accuracy",
        "Accuracy of the three most probable",
        MULTICLASS,
        True,
        "share of rows whose class is among the three most probable; from four classes on",
        needs_probabilities=True,
        conditional=True,
    ),
)
METRICS: Final[Mapping[str, MetricSpec]] = MappingProxyType(
    {spec.name: spec for spec in (*_REGRESSION, *_CLASSES)}
)


def main_metric(task: Task, wanted: str | None = None) -> MetricSpec:
    """The metric that ranks fits: the one asked for, else R² or the accuracy.

    These two are what scikit-learn's own `score` gives, and every estimator has them.
    """
    if wanted is not None:
        return METRICS[wanted]
    return METRICS["r2" if task == "regression" else "accuracy"]
