"""Statistics of a column of text or of booleans."""

from typing import Final, cast

import numpy as np
import polars as pl

from backend.science.profiles.keys import DistinctCounter, Keys, keys_of, starts_of_runs
from backend.science.profiles.ordered import most_frequent
from backend.science.profiles.reading import sample_share
from backend.science.profiles.statistics import MOST_TOP, ColumnStatistics, ValueCount, cut

# Values of the sample whose exact counts decide which are the most frequent.
CANDIDATES: Final = 100
SEED: Final = 0


class TextColumn:
    """Gathers the keys of texts batch by batch; a second pass finds the texts of the top ones."""

    def __init__(self, rows: int, most: int) -> None:
        self._share = sample_share(rows, most)
        self._random = np.random.default_rng(SEED)
        self._parts: list[Keys] = []
        self._counter = DistinctCounter()
        self._lowest: str | None = None
        self._highest: str | None = None
        self.present = 0
        self._distinct = 0
        # What the second pass looks for, in order of the keys.
        self._wanted: Keys = np.empty(0, dtype=np.uint64)
        self._counts = np.empty(0, dtype=np.int64)
        self._values: dict[int, str] = {}

    def add(self, series: pl.Series) -> None:
        """Take notice of some rows."""
        present = series.drop_nulls()
        if not len(present):
            return
        self.present += len(present)
        lowest, highest = cast(str, present.min()), cast(str, present.max())
        self._lowest = lowest if self._lowest is None else min(self._lowest, lowest)
        self._highest = highest if self._highest is None else max(self._highest, highest)
        keys = keys_of(present)
        if self._share < 1:
            self._counter.add(keys)
            keys = keys[self._random.random(len(keys)) < self._share]
        self._parts.append(keys)

    def rank(self) -> None:
        """After the last row: which keys are the most frequent; gives back the memory."""
        keys = np.concatenate(self._parts) if self._parts else np.empty(0, dtype=np.uint64)
        self._parts.clear()
        keys.sort()
        is_exact = self._share == 1
        self._distinct = (
            int(np.count_nonzero(starts_of_runs(keys))) if is_exact else self._counter.count()
        )
        top = most_frequent(keys, MOST_TOP if is_exact else CANDIDATES)
        chosen = sorted((int(keys[place]), count) for place, count in top)
        self._wanted = np.array([key for key, _ in chosen], dtype=np.uint64)
        self._counts = np.array([count if is_exact else 0 for _, count in chosen], dtype=np.int64)

    @property
    def is_done(self) -> bool:
        """Whether the second pass may stop."""
        return self._share == 1 and len(self._values) == len(self._wanted)

    def look(self, series: pl.Series) -> None:
        """Second pass: the texts of the wanted keys, and their counts if those were a sample's."""
        present = series.drop_nulls()
        if self.is_done or not len(present) or not len(self._wanted):
            return
        keys = keys_of(present)
        places = np.searchsorted(self._wanted, keys).clip(max=len(self._wanted) - 1)
        hits = np.flatnonzero(self._wanted[places] == keys)
        found, first, counts = np.unique(places[hits], return_index=True, return_counts=True)
        if self._share < 1:
            self._counts[found] += counts
        for place, at in zip(found.tolist(), hits[first].tolist(), strict=True):
            self._values.setdefault(place, present[at])

    def statistics(self) -> ColumnStatistics:
        """All that is known after both passes."""
        counted = [
            ValueCount(cut(text), int(self._counts[place])) for place, text in self._values.items()
        ]
        counted.sort(key=lambda top: (-top.count, top.value))
        return ColumnStatistics(
            present=self.present,
            distinct=self._distinct,
            minimum=None if self._lowest is None else cut(self._lowest),
            maximum=None if self._highest is None else cut(self._highest),
            top=counted[:MOST_TOP],
            is_approximate=self._share < 1,
        )


class BooleanColumn:
    """Counts true and false."""

    def __init__(self) -> None:
        self.present = self._true = 0

    def add(self, series: pl.Series) -> None:
        """Take notice of some rows."""
        self.present += len(series) - series.null_count()
        self._true += int(series.sum() or 0)

    def statistics(self) -> ColumnStatistics:
        """Counts; the mean is the share of true."""
        counts = {True: self._true, False: self.present - self._true}
        top = [ValueCount(value, count) for value, count in counts.items() if count]
        top.sort(key=lambda one: -one.count)
        return ColumnStatistics(
            present=self.present,
            distinct=len(top),
            mean=self._true / self.present if self.present else None,
            top=top,
        )
