"""How far the values of a column moved from one version of a table to the next."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backend.science.profiles.keys import DistinctCounter, keys_of, mix
from backend.science.profiles.statistics import cut, percent

Floats = npt.NDArray[np.float64]
# More different texts are no categories.
MOST_CATEGORIES: Final = 1_000
SHOWN_CATEGORIES: Final = 20
NAMED: Final = 3
# Smaller moves are not worth a sentence.
SMALLEST_SHIFT: Final = 0.1
SMALLEST_CHANGE_OF_NULLS: Final = 0.05
# Of two samples of one distribution, one pair in a thousand is further apart (Smirnov, 1948).
CHANCE: Final = 1.95


class ColumnValues:
    """What is kept of a column's values in one version.

    Attributes
    ----------
    fingerprint
        Equal for columns of equal values in whatever order, but for one case in 2^64.
    """

    def __init__(self, *, is_number: bool, share: float = 1.0) -> None:
        self.is_number = is_number
        self.rows = self.present = 0
        self.fingerprint = 0
        self.categories: Counter[str] | None = None if is_number else Counter()
        self._share = share
        self._random = np.random.default_rng(0)
        self._counter = DistinctCounter()
        self._parts: list[Floats] = []

    def add(self, series: pl.Series) -> None:
        """Take notice of some rows."""
        present = series.drop_nulls()
        self.rows += len(series)
        self.present += len(present)
        keys = keys_of(present)
        self._counter.add(keys)
        self.fingerprint = (self.fingerprint + int(mix(keys).sum(dtype=np.uint64))) % 2**64
        if self.is_number:
            numbers = present.to_physical().cast(pl.Float64).to_numpy()
            numbers = numbers[np.isfinite(numbers)]
            if self._share < 1:
                numbers = numbers[self._random.random(len(numbers)) < self._share]
            self._parts.append(numbers)
        elif self.categories is not None:
            self._count(present)

    def _count(self, present: pl.Series) -> None:
        # Images are no categories; their pixels would be held as such.
        counted = None if present.dtype == pl.Binary else present.cast(pl.String).value_counts()
        if self.categories is None or counted is None or counted.height > MOST_CATEGORIES:
            self.categories = None
            return
        for text, count in counted.iter_rows():
            self.categories[text] += count
        if len(self.categories) > MOST_CATEGORIES:
            self.categories = None

    @property
    def nulls(self) -> int:
        """Missing values."""
        return self.rows - self.present

    def distinct(self) -> int:
        """Different present values."""
        return self._counter.count()

    def ordered(self) -> Floats:
        """The finite numbers, sorted; of a long column a sample."""
        ordered = np.concatenate(self._parts) if self._parts else np.empty(0)
        ordered.sort()
        self._parts = [ordered]
        return ordered


@dataclass(frozen=True, slots=True)
class Shift:
    """How far two columns are apart, from 0 to 1, and a sentence where that is worth one."""

    distance: float | None = None
    mean_before: float | None = None
    mean_after: float | None = None
    verdict: str | None = None
    added: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def find_shift(name: str, before: ColumnValues, after: ColumnValues, *, is_time: bool) -> Shift:
    """Compare a column that has the same kind of values in both versions.

    Numbers by the Kolmogorov-Smirnov distance, categories by the total variation distance.
    """
    if before.is_number:
        return _of_numbers(name, before, after, is_time=is_time)
    if before.categories is None or after.categories is None:
        return Shift(verdict=_about_nulls(name, before, after))
    return _of_categories(name, before, after)


def _of_numbers(name: str, before: ColumnValues, after: ColumnValues, *, is_time: bool) -> Shift:
    old, new = before.ordered(), after.ordered()
    if not (len(old) and len(new)):
        return Shift(verdict=_about_nulls(name, before, after))
    distance = smirnov_distance(old, new)
    verdict = _about_nulls(name, before, after)
    if verdict is None and _is_shift(distance, len(old), len(new)):
        first, second = float(np.median(old)), float(np.median(new))
        how = _moved(first, second, is_time=is_time)
        verdict = f"{name}: {how}"
    means = (None, None) if is_time else (_mean(old), _mean(new))
    return Shift(distance, *means, verdict=verdict)


def smirnov_distance(old: Floats, new: Floats) -> float:
    """Largest distance of two empirical distribution functions, of sorted values."""
    both = np.concatenate([old, new])
    first = np.searchsorted(old, both, side="right") / len(old)
    second = np.searchsorted(new, both, side="right") / len(new)
    return float(np.abs(first - second).max())


def _is_shift(distance: float, old: int, new: int) -> bool:
    return distance > max(SMALLEST_SHIFT, CHANCE * math.sqrt((old + new) / (old * new)))


def _moved(first: float, second: float, *, is_time: bool) -> str:
    if first == second:
        return "the values are spread differently"
    if is_time:
        return "the dates are later" if second > first else "the dates are earlier"
    direction = "higher" if second > first else "lower"
    return f"the values are {direction} (median {second:.4g} instead of {first:.4g})"


def _mean(values: Floats) -> float | None:
    with np.errstate(over="ignore"):
        mean = float(values.mean())
    return mean if math.isfinite(mean) else None


def _of_categories(name: str, before: ColumnValues, after: ColumnValues) -> Shift:
    old, new = before.categories or Counter(), after.categories or Counter()
    added, gone = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    if not (old and new):
        return Shift(verdict=_about_nulls(name, before, after), added=_shown(added))
    moves = {
        text: new[text] / after.present - old[text] / before.present
        for text in (old.keys() | new.keys())
    }
    distance = sum(map(abs, moves.values())) / 2
    verdict = _about_nulls(name, before, after)
    # The distance of samples grows with the number of categories.
    noise = math.sqrt(len(moves) * (before.present + after.present))
    is_moved = distance > max(SMALLEST_SHIFT, noise / math.sqrt(before.present * after.present))
    if verdict is None and (added or gone):
        verdict = f"{name}: {_about_categories(added, gone)}"
    elif verdict is None and is_moved:
        text = max(moves, key=lambda key: (round(abs(moves[key]), 9), key))
        was, now = old[text] / before.present, new[text] / after.present
        verdict = (
            f"{name}: {percent(now)} of the values are {cut(text)!r}, {percent(was)} were before"
        )
    return Shift(distance, verdict=verdict, added=_shown(added), gone=_shown(gone))


def _about_categories(added: Sequence[str], gone: Sequence[str]) -> str:
    parts = [f"new: {_named(added)}"] if added else []
    parts += [f"gone: {_named(gone)}"] if gone else []
    return "; ".join(parts)


def _named(texts: Sequence[str]) -> str:
    named = ", ".join(repr(cut(text)) for text in texts[:NAMED])
    more = len(texts) - NAMED
    return f"{named} and {more:,} more" if more > 0 else named


def _shown(texts: Sequence[str]) -> list[str]:
    return [cut(text) for text in texts[:SHOWN_CATEGORIES]]


def _about_nulls(name: str, before: ColumnValues, after: ColumnValues) -> str | None:
    if not (before.rows and after.rows):
        return None
    was, now = before.nulls / before.rows, after.nulls / after.rows
    if abs(now - was) <= SMALLEST_CHANGE_OF_NULLS:
        return None
    return f"{name}: {percent(now)} of the values are missing, {percent(was)} were before"
