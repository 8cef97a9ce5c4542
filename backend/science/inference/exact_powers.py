"""Columns that hold the powers of another column, to the last digit."""

from typing import Final

import numpy as np
import numpy.typing as npt

from backend.science.inference.double_double import DoubleDouble

Floats = npt.NDArray[np.float64]
HIGHEST: Final = 20
# Above, errors of products are no numbers any more.
LARGEST: Final = 1e100
# What repeated multiplication in doubles may have rounded.
ROUNDED: Final = 16 * float(np.finfo(float).eps)


def with_exact_powers(matrix: Floats) -> DoubleDouble:
    """A design in twice the precision, where powers of a column are exact.

    A table holds x and x**10 as doubles. Rounding x**10 alone costs a polynomial of degree ten
    half of its digits; the column is therefore taken as the power that it is, wherever it agrees
    with it in all rows as far as doubles reach.

    Parameters
    ----------
    matrix
        Shape (n, p).
    """
    high, low = matrix.copy(), np.zeros_like(matrix)
    powers = [
        (column, *found) for column in range(matrix.shape[1]) if (found := _base(matrix, column))
    ]
    # A base is itself no power of another: x**4 is one of x, not of x**2.
    for column, base, exponent in powers:
        exact = _power(matrix[:, base], exponent)
        high[:, column], low[:, column] = exact.high, exact.low
    return DoubleDouble(high, low)


def _base(matrix: Floats, column: int) -> tuple[int, int] | None:
    """The column whose power this is, and the exponent: of several the highest."""
    values = matrix[:, column]
    found: tuple[int, int] | None = None
    for base in range(matrix.shape[1]):
        exponent = _exponent(matrix[:, base], values)
        if exponent is not None and (found is None or exponent > found[1]):
            found = base, exponent
    return found


def _exponent(base: Floats, values: Floats) -> int | None:
    with np.errstate(divide="ignore"):
        logs = np.where(base == 0, 0.0, np.log(np.abs(np.where(base == 0, 1.0, base))))
    row = int(np.argmax(np.abs(logs)))
    if logs[row] == 0 or values[row] == 0 or np.abs(values).max() > LARGEST:
        return None
    exponent = round(float(np.log(abs(values[row])) / logs[row]))
    if not 2 <= exponent <= HIGHEST:
        return None
    expected = _power(base, exponent).high
    return exponent if (np.abs(values - expected) <= ROUNDED * np.abs(expected)).all() else None


def _power(base: Floats, exponent: int) -> DoubleDouble:
    factor = DoubleDouble(base)
    power = factor
    for _ in range(exponent - 1):
        power = power * factor
    return power
