"""How values are written on every page: numbers, times, sizes, and text that users gave."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

SIGNIFICANT_DIGITS: Final = 4
LARGEST_PLAIN: Final = 1e9
SMALLEST_PLAIN: Final = 1e-4
METRIC_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "r2": "R²",
        "rmse": "RMSE",
        "mae": "Mean absolute error",
        "median_absolute_error": "Median absolute error",
        "accuracy": "Accuracy",
        "balanced_accuracy": "Balanced accuracy",
        "f1_macro": "F1 (macro)",
        "roc_auc": "ROC AUC",
        "log_loss": "Log loss",
    }
)
LESS_IS_BETTER: Final = frozenset({"rmse", "mae", "median_absolute_error", "log_loss"})
LEADING_METRICS: Final = ("r2", "accuracy")
_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")
_STEPS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_HALF_A_MINUTE: Final = 30.0
_BYTES: Final = ("B", "kB", "MB", "GB")


def plain(text: str) -> str:
    """User text for a place that reads Markdown: shown as it was typed, never interpreted.

    A picture in Markdown would make the reader's browser call another host.
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def number(value: float | int | None) -> str:
    """A value with four significant digits; whole numbers in full."""
    if value is None:
        return "-"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < LARGEST_PLAIN):
        return f"{int(value):,}"
    if abs(value) >= LARGEST_PLAIN or abs(value) < SMALLEST_PLAIN:
        return f"{value:.{SIGNIFICANT_DIGITS - 1}e}"
    whole = len(str(int(abs(value))))
    if abs(value) < 1:
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    return f"{value:,.{max(0, SIGNIFICANT_DIGITS - whole)}f}"


def percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def contents(datasets: int, fits: int, models: int) -> str:
    """What is in a project, as "1 dataset, 2 fits and 1 model"; empty where nothing is."""
    counts = ((datasets, "dataset"), (fits, "fit"), (models, "model"))
    parts = [counted(count, noun) for count, noun in counts if count]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def article(noun: str) -> str:
    """A noun with "a" or "an"."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 10:
        return "just now"
    for step, unit in _STEPS:
        if seconds >= step:
            return f"{int(seconds // step)} {unit} ago"
    return f"{int(seconds)} s ago"


def until(moment: datetime, *, now: datetime | None = None) -> str:
    """How long it takes until then, in the largest unit that fits."""
    # What was given for seven days should not say six a moment later.
    seconds = (moment - (now or datetime.now(UTC))).total_seconds() + _HALF_A_MINUTE
    for step, unit in _STEPS:
        if seconds >= step:
            return f"in {int(seconds // step)} {unit}"
    return "in less than a minute"


def duration(seconds: float | None) -> str:
    """A length of time."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shape(kind: str, rows: int, columns: int) -> str:
    """How much is in a dataset, as "344 rows, 8 columns" or "5,000 images"."""
    if kind == "image":
        return counted(rows, "image")
    return f"{counted(rows, 'row')}, {counted(columns, 'column')}"


def size(count: int) -> str:
    """A number of bytes, in the decimal units of file managers."""
    value = float(count)
    for unit in _BYTES[:-1]:
        if value < 1_000:
            return f"{value:.3g} {unit}"
        value /= 1_000
    return f"{value:.3g} {_BYTES[-1]}"


def leading_metric(metrics: Mapping[str, float]) -> str:
    """The one metric that stands for a fit in a list."""
    for name in LEADING_METRICS:
        if name in metrics:
            return f"{METRIC_TITLES[name]} {number(metrics[name])}"
    return ""


def client_name(user_agent: str | None) -> str:
    """What a session's user agent is, in words that a person knows."""
    known = (
        ("goodfit-ui", "Dashboard"),
        ("Edg/", "Edge"),
        ("Firefox", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
        ("python", "Python"),
    )
    for mark, name in known:
        if mark in (user_agent or ""):
            return name
    return "Unknown program"


def device_name(user_agent: str | None) -> str:
    """A session's program and system, as "Chrome on Windows"."""
    systems = (
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    )
    found = next((name for mark, name in systems if mark in (user_agent or "")), None)
    program = client_name(user_agent)
    return f"{program} on {found}" if found else program
