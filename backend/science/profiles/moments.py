"""Mean, standard deviation and skewness of numbers that come in batches."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Moments:
    """Central moments, merged batch by batch.

    Chan, Golub and LeVeque (1983), The American Statistician 37, 242-247; the third moment as in
    Terriberry (2007).
    """

    def __init__(self) -> None:
        self.count = 0
        # Near the numbers, so that the digits in which large ones differ are not rounded away.
        self._origin = 0.0
        self._mean = 0.0
        self._squares = 0.0
        self._cubes = 0.0

    def add(self, values: Floats) -> None:
        """Take notice of finite numbers."""
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            if not self.count:
                self._origin = float(values.mean())
            apart = values - self._origin
            mean = float(apart.mean())
            apart -= mean
            squared = apart * apart
            squares, cubes = float(squared.sum()), float((squared * apart).sum())
        self._merge(len(values), mean, squares, cubes)

    def _merge(self, count: int, mean: float, squares: float, cubes: float) -> None:
        if not self.count:
            self.count, self._mean, self._squares, self._cubes = count, mean, squares, cubes
            return
        before, total = self.count, self.count + count
        shift = mean - self._mean
        self._cubes += (
            cubes
            + _power(shift, 3) * before * count * (before - count) / total**2
            + 3 * shift * (before * squares - count * self._squares) / total
        )
        self._squares += squares + _power(shift, 2) * before * count / total
        self._mean += shift * count / total
        self.count = total

    def mean(self) -> float | None:
        """The arithmetic mean; None without values, or where it overflows."""
        return _finite(self._origin + self._mean) if self.count else None

    def sd(self) -> float | None:
        """Standard deviation with n - 1 in the denominator."""
        return _finite(math.sqrt(self._squares / (self.count - 1))) if self.count > 1 else None

    def skewness(self) -> float | None:
        """Adjusted Fisher-Pearson coefficient, as pandas has it; 0 for a constant."""
        n = self.count
        if n < 3:
            return None
        if self._squares <= 0:
            return 0.0
        spread = self._squares / n
        if not math.isfinite(spread) or spread == 0:
            return None
        # In steps: the power 1.5 of a large spread overflows.
        biased = self._cubes / n / spread / math.sqrt(spread)
        return _finite(math.sqrt(n * (n - 1)) / (n - 2) * biased)


def _power(base: float, exponent: int) -> float:
    try:
        return base**exponent
    except OverflowError:
        return math.inf if base > 0 or exponent % 2 == 0 else -math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
