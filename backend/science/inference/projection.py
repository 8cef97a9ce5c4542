"""Least squares in doubles, and what is needed to tell how good the digits are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr, solve_triangular

Floats = npt.NDArray[np.float64]
# A column is a combination of others when less of it than this is left beside them.
DEPENDENT: Final = 1e-11
EPSILON: Final = float(np.finfo(float).eps)
ROUNDING: Final = 64 * EPSILON


@dataclass(frozen=True, slots=True)
class Projection:
    """The solution of a least squares problem of n rows and p terms.

    Attributes
    ----------
    estimates
        Shape (p,).
    basis
        Shape (n, p): orthonormal columns that span the (weighted) design.
    units
        Shape (p,): sizes of the terms, so that squares of very large and small ones stay numbers.
    factor
        Shape (p, p); `factor @ factor.T` is the inverse of X'WX, with X in these units.
    residuals
        Shape (n,), times the root of the weight.
    rss, tss
        Sums of squares of the residuals, and of the target about its mean if there is an
        intercept, else about zero.
    """

    estimates: Floats
    basis: Floats
    units: Floats
    factor: Floats
    residuals: Floats
    rss: float
    tss: float


@dataclass(frozen=True, slots=True)
class Standardised:
    """A design of n rows, its columns centred and scaled, a column of ones first.

    Attributes
    ----------
    matrix
        Shape (n, p): `(column - center) / scale`, times the root of the weight.
    tolerance
        Shape (p,): the share of a column that rounding may leave of a combination of others.
    norms
        Shape (p,): lengths of the columns.
    """

    matrix: Floats
    center: Floats
    scale: Floats
    tolerance: Floats
    norms: Floats
    intercept: bool

    def back(self, kept: list[int]) -> Floats:
        """Row i: what of the standardised coefficients makes coefficient i, times its scale."""
        made = np.eye(len(kept))
        if self.intercept and kept[:1] == [0]:
            made[0, 1:] = -(self.center / self.scale)[kept[1:]]
        return made


def standardise(matrix: Floats, weights: Floats, *, intercept: bool) -> Standardised:
    """Centre (where there is an intercept) and scale the columns.

    Parameters
    ----------
    matrix
        Shape (n, p).
    weights
        Shape (n,), positive.
    """
    total = weights.sum()
    center = weights @ matrix / total if intercept else np.zeros(matrix.shape[1])
    # Divided by the largest first: squares of very small numbers would be zero.
    largest = np.abs(matrix - center).max(axis=0)
    largest = np.where(largest > 0, largest, 1.0)
    if intercept:  # a mean of large numbers rounds: once more, of what is left
        center = center + largest * (weights @ ((matrix - center) / largest) / total)
    spread = largest * np.sqrt(weights @ ((matrix - center) / largest) ** 2 / total)
    scale = np.where(spread > 0, spread, 1.0)
    tolerance = np.maximum(DEPENDENT, ROUNDING * (1 + np.abs(center) / scale))
    made = (matrix - center) / scale
    if intercept:
        made = np.column_stack([np.ones(len(made)), made])
        center, scale = np.concatenate([[0.0], center]), np.concatenate([[1.0], scale])
        tolerance = np.concatenate([[DEPENDENT], tolerance])
    made = made * np.sqrt(weights)[:, None]
    norms = np.linalg.norm(made, axis=0)
    return Standardised(made, center, scale, tolerance, norms, intercept)


def factorise(standard: Standardised) -> tuple[list[int], Floats, Floats]:
    """The columns that are no combination of those before them, and their Q and R."""
    matrix = standard.matrix
    rows, columns = matrix.shape
    if columns <= rows:
        q, r = qr(matrix, mode="economic", check_finite=False)
        if (np.abs(np.diag(r)) > standard.tolerance * standard.norms).all():
            return list(range(columns)), q, r
    kept = _independent(standard)
    q, r = qr(matrix[:, kept], mode="economic", check_finite=False)
    return kept, q, r


def _independent(standard: Standardised) -> list[int]:
    matrix = standard.matrix
    rows, columns = matrix.shape
    kept: list[int] = []
    basis = np.empty((rows, min(rows, columns)))
    for column in range(columns):
        if len(kept) == rows:
            break
        known = basis[:, : len(kept)]
        left = matrix[:, column]
        for _ in range(2):  # once more for what rounding left
            left = left - known @ (known.T @ left)
        length = np.linalg.norm(left)
        if length > standard.tolerance[column] * standard.norms[column]:
            basis[:, len(kept)] = left / length
            kept.append(column)
    return kept


def project(
    standard: Standardised, kept: list[int], q: Floats, r: Floats, target: Floats
) -> Projection:
    """The coefficients in the units of the columns.

    Parameters
    ----------
    kept, q, r
        From `factorise`.
    target
        Shape (n,), times the root of the weight.
    """
    solved = solve_triangular(r, q.T @ target)
    residuals = target - standard.matrix[:, kept] @ solved
    back = standard.back(kept)
    spread = target
    if standard.intercept:
        ones = standard.matrix[:, 0]
        spread = target - ones * (ones @ target / (ones @ ones))
    return Projection(
        estimates=back @ solved / standard.scale[kept],
        basis=q,
        units=standard.scale[kept],
        factor=back @ solve_triangular(r, np.eye(len(kept))),
        residuals=residuals,
        rss=float(residuals @ residuals),
        tss=float(spread @ spread),
    )


def lost(standard: Standardised, kept: list[int], found: Projection, target: Floats) -> float:
    """A bound of the relative error that doubles leave in a coefficient or its standard error.

    The target and each column are known to a rounding; what these errors change in the solution
    is told by the inverse (Golub, Van Loan, Matrix Computations, 5.3.7).
    """
    shift = EPSILON * (1 + np.abs(standard.center / standard.scale)[kept])
    moved = standard.norms[kept] * shift
    sizes = np.abs(found.estimates * found.units)
    reach = np.linalg.norm(found.factor, axis=1)
    inverse = np.abs(found.factor @ found.factor.T)
    size = EPSILON * float(np.linalg.norm(target)) + float(moved @ sizes)
    errors = reach * size + inverse @ moved * float(np.linalg.norm(found.residuals))
    relative = np.divide(errors, sizes, out=np.full_like(errors, np.inf), where=sizes > 0)
    return float(max(relative.max(initial=0.0), (reach * moved).max(initial=0.0)))
