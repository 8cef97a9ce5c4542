"""Numbers of twice the precision: unevaluated sums of two doubles, about 32 decimal digits.

Plain numpy, so that the digits are the same on every platform; `longdouble` is not.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# 2^27 + 1 cuts a double into two halves whose products are exact (Veltkamp 1968).
SPLITTER: Final = 134217729.0


class DoubleDouble:
    """An array of numbers `high + low`, where `low` is what rounding took from `high`.

    Parameters
    ----------
    high, low
        Arrays of one shape; `low` may be left out. Magnitudes stay below 1e150.

    References
    ----------
    Dekker, A floating-point technique for extending the available precision, 1971; Hida, Li,
    Bailey, Library for double-double and quad-double arithmetic, 2007.
    """

    __slots__ = ("high", "low")

    def __init__(self, high: Floats, low: Floats | None = None) -> None:
        self.high = high
        self.low = np.zeros_like(high) if low is None else low

    def __getitem__(self, at: Any) -> "DoubleDouble":
        return DoubleDouble(np.asarray(self.high[at]), np.asarray(self.low[at]))

    def __neg__(self) -> "DoubleDouble":
        return DoubleDouble(-self.high, -self.low)

    def __add__(self, other: "DoubleDouble") -> "DoubleDouble":
        high, error = _two_sum(self.high, other.high)
        low, rest = _two_sum(self.low, other.low)
        high, error = _quick_two_sum(high, error + low)
        return DoubleDouble(*_quick_two_sum(high, error + rest))

    def __sub__(self, other: "DoubleDouble") -> "DoubleDouble":
        return self + -other

    def __mul__(self, other: "DoubleDouble") -> "DoubleDouble":
        high, error = two_product(self.high, other.high)
        return DoubleDouble(
            *_quick_two_sum(high, error + (self.high * other.low + self.low * other.high))
        )

    def __truediv__(self, other: "DoubleDouble") -> "DoubleDouble":
        quotient = DoubleDouble(self.high / other.high)
        left = self - other * quotient
        quotient = quotient + DoubleDouble(left.high / other.high)
        left = self - other * quotient
        return quotient + DoubleDouble(left.high / other.high)

    def sum(self) -> "DoubleDouble":
        """Sums over the first axis, halved again and again."""
        left = self
        while (rows := len(left.high)) > 1:
            half = rows // 2
            joined = left[:half] + left[half : 2 * half]
            if rows % 2:
                joined = DoubleDouble(
                    np.concatenate([joined.high, left.high[-1:]]),
                    np.concatenate([joined.low, left.low[-1:]]),
                )
            left = joined
        return left[0]

    def sqrt(self) -> "DoubleDouble":
        """The square root of a positive number, by one step of Newton's method."""
        root = DoubleDouble(np.sqrt(self.high))
        left = self - root * root
        return root + DoubleDouble(left.high / (2 * root.high))


def two_product(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The rounded product and its error, exactly."""
    product = left * right
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    error = left_high * right_high - product + left_high * right_low + left_low * right_high
    return product, error + left_low * right_low


def _halves(number: Floats) -> tuple[Floats, Floats]:
    spread = SPLITTER * number
    high = spread - (spread - number)
    return high, number - high


def _two_sum(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    total = left + right
    part = total - left
    return total, (left - (total - part)) + (right - part)


def _quick_two_sum(large: Floats, small: Floats) -> tuple[Floats, Floats]:
    total = large + small
    return total, small - (total - large)
