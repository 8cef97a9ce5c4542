"""Values as 64-bit keys: equal values have equal keys, and sorting keys counts them.

Numbers and dates are their own keys. A text's key is a hash: that two of 25 million different
texts share one has a probability of 2 in 100,000.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Keys = npt.NDArray[np.uint64]
# Up to so many different keys are counted exactly.
MOST_KEYS: Final = 16_000_000
# Above, the smallest of the mixed keys tell the number (k minimum values): the standard error is
# 1 / sqrt(SKETCH_KEYS), a tenth of a percent. Bar-Yossef et al. (2002), RANDOM, 1-10.
SKETCH_KEYS: Final = 1_000_000
COMPACT_FROM: Final = 1_000_000


def keys_of(present: pl.Series) -> Keys:
    """Keys of a column's present values.

    Parameters
    ----------
    present
        Column of n values without nulls.

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    if present.dtype in (pl.String, pl.Binary):
        return present.hash().to_numpy()
    if present.dtype.is_float():
        # Adding zero makes one value of the two zeros.
        return (present.cast(pl.Float64).to_numpy() + 0.0).view(np.uint64)
    physical = present.to_physical().cast(pl.Int64)
    return physical.to_numpy().view(np.uint64)


def sorted_unique(keys: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The different values in order; faster than `numpy.unique` for 64-bit numbers."""
    ordered = np.sort(keys)
    return ordered[starts_of_runs(ordered)]


def starts_of_runs(ordered: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Where a sorted array's value differs from the one before; the first always does."""
    starts = np.empty(len(ordered), dtype=np.bool_)
    starts[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts


class DistinctCounter:
    """Counts different keys that come in batches; exact up to `most`, then an estimate."""

    def __init__(self, most: int = MOST_KEYS, sketch: int = SKETCH_KEYS) -> None:
        self._most = most
        self._sketch = min(sketch, most)
        self._parts: list[Keys] = []
        self._compact_size = 0
        self._ceiling: np.uint64 | None = None

    @property
    def is_exact(self) -> bool:
        """Whether all keys were kept."""
        return self._ceiling is None

    def add(self, keys: Keys) -> None:
        """Take notice of some keys."""
        if self._ceiling is not None:
            keys = mix(keys)
            keys = keys[keys <= self._ceiling]
        self._parts.append(np.asarray(sorted_unique(keys), dtype=np.uint64))
        held = sum(map(len, self._parts))
        if held > 2 * self._compact_size + COMPACT_FROM:
            self._compact()

    def count(self) -> int:
        """How many different keys there were."""
        self._compact()
        if self._ceiling is None:
            return self._compact_size
        share = (float(self._ceiling) + 1.0) / 2.0**64
        return round((self._compact_size - 1) / share)

    def _compact(self) -> None:
        if len(self._parts) > 1:
            self._parts = [np.asarray(sorted_unique(np.concatenate(self._parts)), np.uint64)]
        self._compact_size = sum(map(len, self._parts))
        if self._ceiling is None and self._compact_size > self._most:
            self._parts = [np.sort(mix(self._parts[0]))]
            self._ceiling = np.uint64(2**64 - 1)
        if self._ceiling is not None and self._compact_size > self._sketch:
            self._parts = [self._parts[0][: self._sketch].copy()]
            self._compact_size = self._sketch
            self._ceiling = self._parts[0][-1]


def mix(keys: Keys) -> Keys:
    """Spread keys evenly over 64 bits, one to one (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return keys ^ (keys >> np.uint64(31))
