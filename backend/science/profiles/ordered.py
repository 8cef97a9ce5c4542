"""What is read off a sorted column: quantiles, bins, frequent values, outliers."""

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.science.profiles.keys import starts_of_runs
from backend.science.profiles.statistics import MOST_TOP, Outliers

Ordered = npt.NDArray[np.int64] | npt.NDArray[np.float64]
BINS: Final = 25
# So many neighbouring whole numbers have a bin each.
SINGLE_BINS: Final = 40
MOST_BINS: Final = 30
LARGEST_WHOLE: Final = 2.0**53
# Tukey's fences for values that are far out, in interquartile ranges.
FAR_OUT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Bins:
    """Edges of n bins and n counts; `whole` edges are whole numbers, each bin's first."""

    edges: list[int] | list[float]
    counts: list[int]
    whole: bool


def quantile(ordered: Ordered, probability: float) -> float:
    """Linear interpolation between neighbours (type 7 of Hyndman and Fan, 1996)."""
    place = probability * (len(ordered) - 1)
    below = math.floor(place)
    share = place - below
    low: float = ordered[below].item()
    high: float = ordered[min(below + 1, len(ordered) - 1)].item()
    between = low + (high - low) * share
    # The difference of two huge numbers may overflow; their weighted mean does not.
    between = between if math.isfinite(between) else low * (1 - share) + high * share
    # Whole numbers beyond 2^53 are rounded on the way.
    return min(max(between, low), high)


def most_frequent(ordered: npt.NDArray[np.generic], most: int = MOST_TOP) -> list[tuple[int, int]]:
    """Place of the first occurrence and count of the most frequent values, these in order."""
    starts = np.flatnonzero(starts_of_runs(ordered))
    counts = np.diff(starts, append=len(ordered))
    if len(counts) > most:
        # All that are as frequent as the last one may stay: the smaller value goes first.
        least = np.partition(counts, len(counts) - most)[len(counts) - most]
        above = np.flatnonzero(counts > least)
        level = np.flatnonzero(counts == least)[: most - len(above)]
        chosen = np.sort(np.concatenate([above, level]))
        starts, counts = starts[chosen], counts[chosen]
    order = np.argsort(-counts, kind="stable")
    return [(int(starts[place]), int(counts[place])) for place in order]


def bins_of(ordered: Ordered) -> Bins:
    """20 to 30 bins of equal width; whole numbers lie inside them, few have one each."""
    low, high = ordered[0].item(), ordered[-1].item()
    if _is_whole(ordered):
        return _whole_bins(ordered, int(low), int(high))
    shares = np.linspace(0.0, 1.0, BINS + 1)
    # Not low + share * (high - low), which may overflow.
    edges = np.unique(low * (1 - shares) + high * shares)
    edges[0], edges[-1] = low, high
    return Bins(edges.tolist(), _count(ordered, edges[1:-1]), whole=False)


def _is_whole(ordered: Ordered) -> bool:
    if ordered.dtype.kind == "i":
        return True
    if max(abs(float(ordered[0])), abs(float(ordered[-1]))) > LARGEST_WHOLE:
        return False
    return bool((ordered == np.floor(ordered)).all())


def _whole_bins(ordered: Ordered, low: int, high: int) -> Bins:
    numbers = high - low + 1
    width = 1 if numbers <= SINGLE_BINS else -(-numbers // MOST_BINS)
    edges = [low + width * place for place in range(-(-numbers // width) + 1)]
    inner = np.array(edges[1:-1], dtype=ordered.dtype)
    return Bins(edges, _count(ordered, inner), whole=True)


def _count(ordered: Ordered, inner: npt.NDArray[np.generic]) -> list[int]:
    """Numbers from each edge to below the next."""
    cuts = [0, *np.searchsorted(ordered, inner, side="left").tolist(), len(ordered)]
    return [int(after - before) for before, after in itertools.pairwise(cuts)]


def _reach_of_normal(rows: int) -> float:
    """How many interquartile ranges normal numbers lie outside their middle half, at most."""
    normal = NormalDist()
    quartile = normal.inv_cdf(0.75)
    return (-normal.inv_cdf(0.0005 / rows) - quartile) / (2 * quartile)


def find_outliers(ordered: Ordered) -> Outliers | None:
    """Numbers more than three interquartile ranges outside the middle half (Tukey, 1977).

    In a large column further out: normal numbers of as many rows have none, 999 times of 1,000.
    None where that half has no width, as for numbers that are mostly zero.
    """
    first, third = quantile(ordered, 0.25), quantile(ordered, 0.75)
    reach = max(FAR_OUT, _reach_of_normal(len(ordered))) * (third - first)
    low, high = first - reach, third + reach
    if not (first < third and math.isfinite(low) and math.isfinite(high)):
        return None
    below = int(np.searchsorted(ordered, low, side="left"))
    above = len(ordered) - int(np.searchsorted(ordered, high, side="right"))
    return Outliers(below, above, low, high)
