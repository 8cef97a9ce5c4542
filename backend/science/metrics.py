"""The metrics of a fit: a table of what each is, and their values for hold-out predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from backend.science.spec import Task

REGRESSION: Final[frozenset[Task]] = frozenset({"regression"})
CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    Attributes
    ----------
    greater_is_better
        Its direction.
    needs_probabilities
        Whether it is computed from class probabilities instead of predicted classes.
    """

    name: str
    title: str
    tasks: frozenset[Task]
    greater_is_better: bool
    needs_probabilities: bool = False


_ALL: Final = (
    MetricSpec("r2", "R²", REGRESSION, True),
    MetricSpec("rmse", "Root mean squared error", REGRESSION, False),
    MetricSpec("mae", "Mean absolute error", REGRESSION, False),
    MetricSpec("median_absolute_error", "Median absolute error", REGRESSION, False),
    MetricSpec("accuracy", "Accuracy", CLASSES, True),
    MetricSpec("balanced_accuracy", "Balanced accuracy", CLASSES, True),
    MetricSpec("f1_macro", "F1, mean over classes", CLASSES, True),
    MetricSpec("log_loss", "Log loss", CLASSES, False, needs_probabilities=True),
    MetricSpec("roc_auc", "Area under the ROC curve", CLASSES, True, needs_probabilities=True),
)
METRICS: Final[Mapping[str, MetricSpec]] = MappingProxyType({spec.name: spec for spec in _ALL})
