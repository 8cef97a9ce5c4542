"""Statistics of a column of numbers or dates."""

from typing import Final, Literal

import numpy as np
import polars as pl

from backend.science.profiles.keys import DistinctCounter, keys_of, starts_of_runs
from backend.science.profiles.moments import Moments
from backend.science.profiles.ordered import (
    Bins,
    Ordered,
    bins_of,
    find_outliers,
    most_frequent,
    quantile,
)
from backend.science.profiles.reading import sample_share
from backend.science.profiles.statistics import (
    PROBABILITIES,
    BinCounts,
    ColumnStatistics,
    Outliers,
    ValueCount,
)

SEED: Final = 0
MICROSECONDS_PER_DAY: Final = 86_400_000_000
LAST_DAY: Final = 2_932_896
# Of the year 9999, after which ISO 8601 has no years.
LAST_INSTANT: Final = (LAST_DAY + 1) * MICROSECONDS_PER_DAY - 1
ISO: Final = "%Y-%m-%dT%H:%M:%S%.f"
NumberKind = Literal["integer", "number", "date", "datetime"]


class NumberColumn:
    """Gathers numbers, or dates as numbers, batch by batch."""

    def __init__(self, kind: NumberKind, rows: int, most: int) -> None:
        self._kind = kind
        self._is_time = kind in ("date", "datetime")
        # What share of the values is kept for everything that needs an order.
        self._share = sample_share(rows, most)
        self._random = np.random.default_rng(SEED)
        self._parts: list[Ordered] = []
        self._counter = DistinctCounter()
        self._moments = Moments()
        self._infinities: set[float] = set()
        self._lowest: int | float | None = None
        self._highest: int | float | None = None
        self.present = self.infinite = self.zeros = 0

    def add(self, series: pl.Series) -> None:
        """Take notice of some rows."""
        present = series.drop_nulls()
        self.present += len(present)
        values = self._finite(present.to_physical().to_numpy())
        if not len(values):
            return
        lowest, highest = values.min().item(), values.max().item()
        self._lowest = lowest if self._lowest is None else min(self._lowest, lowest)
        self._highest = highest if self._highest is None else max(self._highest, highest)
        if not self._is_time:
            self._moments.add(values.astype(np.float64, copy=False))
            self.zeros += int(np.count_nonzero(values == 0))
        if self._share < 1:
            self._counter.add(keys_of(present))
            values = values[self._random.random(len(values)) < self._share]
        self._parts.append(values)

    def _finite(self, values: Ordered) -> Ordered:
        if self._kind != "number":
            return values.astype(np.int64, copy=False)
        is_finite = np.isfinite(values)
        infinite = len(values) - int(np.count_nonzero(is_finite))
        if not infinite:
            return values
        self.infinite += infinite
        self._infinities.update(np.unique(values[~is_finite]).tolist())
        return values[is_finite]

    def statistics(self) -> ColumnStatistics:
        """All that is known once every row was seen; gives back the memory."""
        ordered: Ordered = np.concatenate(self._parts or [np.empty(0)])  # type: ignore[assignment]  # of one type
        self._parts.clear()
        ordered.sort()
        if not len(ordered):
            return ColumnStatistics(self.present, len(self._infinities), infinite=self.infinite)
        is_constant = self._lowest == self._highest
        moments = None if self._is_time else self._moments
        skewness = None if moments is None else moments.skewness()
        return ColumnStatistics(
            present=self.present,
            distinct=self._distinct(ordered),
            minimum=self._shown(self._lowest),
            maximum=self._shown(self._highest),
            mean=None if moments is None else moments.mean(),
            sd=self._sd(is_constant=is_constant),
            skewness=0.0 if is_constant and skewness is not None else skewness,
            infinite=self.infinite,
            zeros=None if self._is_time else self.zeros,
            quantiles=self._quantiles(ordered),
            histogram=self._histogram(bins_of(ordered)),
            top=self._top(ordered),
            outliers=None if self._is_time else self._outliers(ordered),
            is_approximate=self._share < 1,
        )

    def _distinct(self, ordered: Ordered) -> int:
        if self._share < 1:
            return self._counter.count()
        return int(np.count_nonzero(starts_of_runs(ordered))) + len(self._infinities)

    def _sd(self, *, is_constant: bool) -> float | None:
        sd = None if self._is_time else self._moments.sd()
        return 0.0 if is_constant and sd is not None else sd

    def _scaled(self, count: int) -> int:
        """From the sample to the column."""
        return round(count / self._share)

    def _quantiles(self, ordered: Ordered) -> dict[str, float] | dict[str, str]:
        found = {f"{share:g}": quantile(ordered, share) for share in PROBABILITIES}
        if not self._is_time:
            return {share: float(value) for share, value in found.items()}
        return {share: self._time(value) for share, value in found.items()}

    def _histogram(self, bins: Bins) -> BinCounts:
        counts = [self._scaled(count) for count in bins.counts]
        if self._is_time:
            return BinCounts([self._time(edge) for edge in bins.edges], counts)
        # The bars of whole numbers stand around them.
        shift = 0.5 if bins.whole else 0.0
        return BinCounts([edge - shift for edge in bins.edges], counts)

    def _top(self, ordered: Ordered) -> list[ValueCount]:
        return [
            ValueCount(self._value(ordered[place].item()), self._scaled(count))
            for place, count in most_frequent(ordered)
        ]

    def _outliers(self, ordered: Ordered) -> Outliers | None:
        found = find_outliers(ordered)
        if found is None:
            return None
        below, above = self._scaled(found.below), self._scaled(found.above)
        return Outliers(below, above, found.low, found.high)

    def _shown(self, value: int | float | None) -> int | float | str | None:
        return None if value is None else self._value(value)

    def _value(self, value: int | float) -> int | float | str:
        return self._time(value) if self._is_time else value

    def _time(self, value: int | float) -> str:
        """ISO 8601; a day where it is no more than that in a column of dates."""
        if self._kind == "datetime":
            return _instant(round(value))
        if float(value).is_integer() and value <= LAST_DAY:
            return str(pl.select(pl.lit(int(value)).cast(pl.Date).cast(pl.String)).item())
        return _instant(round(value * MICROSECONDS_PER_DAY))


def _instant(microseconds: int) -> str:
    instant = pl.lit(min(microseconds, LAST_INSTANT), dtype=pl.Int64).cast(pl.Datetime("us"))
    return str(pl.select(instant.dt.to_string(ISO)).item())
