"""What a profile says about one column, as it is stored and shown."""

from dataclasses import dataclass, field
from typing import Final

Value = int | float | bool | str
PROBABILITIES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_TOP: Final = 20
# A longer text is cut where it is shown.
SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class BinCounts:
    """Counts between neighbouring edges; the last bin holds its upper edge."""

    edges: list[float] | list[str]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value and how often it occurs."""

    value: Value
    count: int


@dataclass(frozen=True, slots=True)
class Outliers:
    """How many numbers are far below and far above the middle half, and from where on."""

    below: int
    above: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """Statistics of the present values of one column.

    Attributes
    ----------
    present, distinct
        Number of values, and of different ones.
    minimum, maximum, mean, sd, skewness, quantiles, histogram
        Of the finite numbers. Dates are ISO 8601; text has a minimum and a maximum by code point.
    top
        The most frequent values, at most `MOST_TOP`.
    is_approximate
        Whether distinct, quantiles and histogram are estimates.
    """

    present: int
    distinct: int
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    mean: float | None = None
    sd: float | None = None
    skewness: float | None = None
    infinite: int = 0
    zeros: int | None = None
    quantiles: dict[str, float] | dict[str, str] | None = None
    histogram: BinCounts | None = None
    top: list[ValueCount] = field(default_factory=list)
    outliers: Outliers | None = None
    is_approximate: bool = False


def percent(share: float) -> str:
    """For people; less than all is never 100 %."""
    return f"{min(100 * share, 99.9) if share < 1 else 100:.3g} %"


def cut(text: str) -> str:
    """A text as short as it can be shown."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
