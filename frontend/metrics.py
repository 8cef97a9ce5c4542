"""How metrics are written: their titles, their direction, and the one that stands for a fit."""

from collections.abc import Mapping

from backend.fits.metric_schemas import MetricOut
from backend.fits.schemas import FitSummary
from frontend import identity, queries, text

LEADING = ("r2", "accuracy")
# What people ask for first, behind the main metric.
HEADLINES = (
    *("r2", "rmse", "mae", "median_absolute_error"),
    *("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"),
)
# As columns and tiles have room for; the catalogue's titles are longer.
SHORT = {"rmse": "RMSE", "roc_auc": "ROC AUC", "f1_macro": "F1 (macro)"}


def catalogue() -> dict[str, MetricOut]:
    """All metrics by name, in the catalogue's order."""
    return {metric.name: metric for metric in queries.metrics(identity.fits_api())}


def of_task(task: str) -> list[str]:
    """Names of the metrics that a task is scored by."""
    return [name for name, metric in catalogue().items() if task in metric.tasks]


def title(name: str) -> str:
    """A metric's title, as plain text."""
    known = catalogue().get(name)
    return SHORT.get(name) or (known.title if known else name.replace("_", " "))


def less_is_better(name: str) -> bool:
    """A metric's direction; of one that is not known any more, more is better."""
    known = catalogue().get(name)
    return known is not None and not known.greater_is_better


def is_better(name: str, value: float, other: float) -> bool:
    """Whether the value beats the other one."""
    return value < other if less_is_better(name) else value > other


def leading(metrics: Mapping[str, float], main: str | None = None) -> str | None:
    """The name of the metric that stands for a fit."""
    wanted = (main, *LEADING) if main else LEADING
    return next((name for name in wanted if name in metrics), next(iter(metrics), None))


def in_short(metrics: Mapping[str, float], main: str | None = None) -> str:
    """The leading metric with its name, as plain text."""
    name = leading(metrics, main)
    return "" if name is None else f"{title(name)} {text.number(metrics[name])}"


def with_spread(fit: FitSummary) -> str:
    """The main metric, with its deviation over the folds where there are any."""
    name = leading(fit.metrics, fit.main_metric)
    if name is None:
        return ""
    spread = fit.metric_spread.get(name)
    deviation = f" ± {text.number(spread.sd)}" if spread and spread.sd else ""
    return f"{title(name)} {text.number(fit.metrics[name])}{deviation}"


def headlines(metrics: Mapping[str, float], main: str | None) -> list[str]:
    """Names of the few that stand on top of a page, the main one first."""
    first = leading(metrics, main)
    names = HEADLINES if first is None else (first, *HEADLINES)
    return list(dict.fromkeys(name for name in names if name in metrics))


def in_order(metrics: Mapping[str, float], main: str | None) -> list[str]:
    """Names with the main one first, then as the catalogue has them."""
    names = list(catalogue())
    first = leading(metrics, main)
    return sorted(
        metrics,
        key=lambda name: (name != first, names.index(name) if name in names else len(names)),
    )
