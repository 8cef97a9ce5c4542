"""Least squares in twice the precision, for designs that doubles would spoil."""

import numpy as np
import numpy.typing as npt

from backend.science.inference.double_double import DoubleDouble
from backend.science.inference.exact_powers import with_exact_powers
from backend.science.inference.projection import Projection

Floats = npt.NDArray[np.float64]


def solve_extended(
    matrix: Floats, target: Floats, weights: Floats, *, intercept: bool
) -> Projection:
    """Least squares by modified Gram-Schmidt in twice the precision.

    Parameters
    ----------
    matrix
        Shape (n, p), columns of full rank without the intercept's.
    target, weights
        Shape (n,).
    intercept
        Whether a column of ones goes first.

    References
    ----------
    Björck, Solving linear least squares problems by Gram-Schmidt orthogonalization, 1967.
    """
    units = _powers_of_two(matrix)
    design = with_exact_powers(matrix)
    if intercept:
        ones = np.ones((len(matrix), 1))
        design = _beside(DoubleDouble(ones), design)
        units = np.concatenate([[1.0], units])
    unit = float(_powers_of_two(target[:, None])[0])
    design = DoubleDouble(design.high / units, design.low / units)
    together = _beside(design, DoubleDouble(target[:, None] / unit))
    roots = np.sqrt(weights)[:, None]
    together = together * DoubleDouble(roots)
    terms = len(units)
    spread = _about_mean(together[:, terms], roots[:, 0]) if intercept else together[:, terms]
    tss = (spread * spread).sum()
    basis, upper = _orthonormal(together, terms)
    residuals = basis[:, terms]
    rss = (residuals * residuals).sum()
    inverse = _inverse(upper[:, :terms])
    right = upper[:, terms]
    estimates = _rows_times(inverse, right)
    return Projection(
        estimates=estimates * unit / units,
        basis=basis.high[:, :terms],
        units=units,
        factor=inverse.high,
        residuals=residuals.high * unit,
        rss=float(rss.high) * unit**2,
        tss=float(tss.high) * unit**2,
    )


def _powers_of_two(matrix: Floats) -> Floats:
    """Per column the power of two above its largest entry: dividing by it rounds nothing."""
    largest = np.abs(matrix).max(axis=0)
    powers: Floats = np.exp2(np.where(largest > 0, np.frexp(largest)[1], 0)).astype(np.float64)
    return powers


def _beside(left: DoubleDouble, right: DoubleDouble) -> DoubleDouble:
    return DoubleDouble(np.hstack([left.high, right.high]), np.hstack([left.low, right.low]))


def _about_mean(target: DoubleDouble, roots: Floats) -> DoubleDouble:
    """The weighted target without its part along the weighted ones."""
    ones = DoubleDouble(roots)
    return target - ones * ((ones * target).sum() / (ones * ones).sum())


def _orthonormal(together: DoubleDouble, terms: int) -> tuple[DoubleDouble, DoubleDouble]:
    """Orthonormal columns with what is left of the last, and the (terms, terms + 1) factor R."""
    high, low = together.high.copy(), together.low.copy()
    upper = DoubleDouble(np.zeros((terms, terms + 1)))
    for step in range(terms):
        column = DoubleDouble(high[:, step], low[:, step])
        length = (column * column).sum().sqrt()
        column = column / length
        high[:, step], low[:, step] = column.high, column.low
        upper.high[step, step], upper.low[step, step] = length.high, length.low
        rest = DoubleDouble(high[:, step + 1 :], low[:, step + 1 :])
        along = column[:, None]
        shares = (along * rest).sum()
        upper.high[step, step + 1 :], upper.low[step, step + 1 :] = shares.high, shares.low
        rest = rest - along * shares
        high[:, step + 1 :], low[:, step + 1 :] = rest.high, rest.low
    return DoubleDouble(high, low), upper


def _inverse(upper: DoubleDouble) -> DoubleDouble:
    """The inverse of an upper triangle, row by row from the last."""
    size = len(upper.high)
    made = DoubleDouble(np.zeros((size, size)))
    for row in range(size - 1, -1, -1):
        right = DoubleDouble(np.eye(size)[row])
        if row + 1 < size:
            below = made[row + 1 :]
            right = right - (upper[row, row + 1 :][:, None] * below).sum()
        solved = right / upper[row, row]
        made.high[row], made.low[row] = solved.high, solved.low
    return made


def _rows_times(matrix: DoubleDouble, vector: DoubleDouble) -> Floats:
    products = DoubleDouble(matrix.high.T, matrix.low.T) * vector[:, None]
    return products.sum().high
