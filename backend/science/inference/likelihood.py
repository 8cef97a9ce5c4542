"""What maximum likelihood tells of a logistic model, of two classes or more."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import log_softmax, xlogy

from backend.science.inference.identified import Identified
from backend.science.inference.least_squares import tested
from backend.science.inference.terms import Coefficient, Coefficients

Floats = npt.NDArray[np.float64]
MOST_STEPS: Final = 60
# Newton's steps converge quadratically: after one this small the next changes nothing.
CONVERGED: Final = 1e-9
# The odds of one in a hundred million: no finite maximum is near.
EXTREME: Final = 18.0
MOST_PARAMETERS: Final = 1_000
SEPARATED: Final = (
    "The terms tell some rows apart without error (separation), so the likelihood has no maximum: "
    "coefficients grow without end, and there are no standard errors. Leave the term out, or use "
    "a penalty."
)
NOT_FOUND: Final = "The maximum of the likelihood was not found, so there are no standard errors."
STOPPED: Final = (
    "The solver of the model stopped before the maximum of the likelihood, which is told here. "
    "Allow more iterations."
)
# Differences of the linear predictor that no prediction shows.
SAME: Final = 1e-3


@dataclass(frozen=True, slots=True)
class _Maximum:
    """Standardised coefficients, shape (r, k), with the inverse information where it ends."""

    coefficients: Floats
    covariance: Floats | None
    without_end: bool = False


def logistic(
    design: Identified,
    codes: npt.NDArray[np.int64],
    weights: Floats,
    fitted: Floats,
    classes: list[str],
    *,
    robust: bool = False,
) -> Coefficients:
    """Wald tests at the maximum; each class but the first against the first.

    Parameters
    ----------
    design
        The n rows.
    codes
        Shape (n,): each row's place in `classes`.
    weights
        Shape (n,).
    fitted
        Shape (n, k): log odds of the k classes after the first, as the model has them.
    classes
        Names of all k + 1 classes.
    robust
        For weights that count no rows: errors that their unit does not change, and no likelihood.

    References
    ----------
    McCullagh, Nelder, Generalized Linear Models, 1989, chapters 4 and 5; White 1982 for `robust`.
    """
    start = design.coordinates(fitted)
    maximum = _maximise(design.matrix, codes, weights, start)
    if robust:
        maximum = _robust(maximum, design.matrix, codes, weights)
    doubts = design.doubts()
    if maximum.covariance is None:
        doubts.append(SEPARATED if maximum.without_end else NOT_FOUND)
    elif np.abs(design.matrix @ maximum.coefficients - fitted).max() > SAME:
        doubts.append(STOPPED)
    deviance = _deviance(design.matrix @ maximum.coefficients, codes, weights)
    shares = np.bincount(codes, weights, len(classes)) / weights.sum()
    null = xlogy(shares, shares) if design.intercept else -shares * np.log(len(classes))
    return Coefficients(
        items=_items(design, maximum, classes),
        rows=len(codes),
        references=design.references,
        degrees_of_freedom=len(codes) - maximum.coefficients.size,
        null_deviance=float(-2 * weights.sum() * null.sum()),
        dispersion=None if robust else 1.0,
        warnings=doubts,
        **whole(
            design,
            None if robust else -deviance / 2,
            maximum.coefficients.size,
            len(codes),
            robust=robust,
        ),
        deviance=deviance,
    )


def whole(
    design: Identified, likelihood: float | None, parameters: int, rows: int, *, robust: bool
) -> dict[str, Any]:
    """Figures that every table by maximum likelihood has."""
    figures: dict[str, Any] = {
        "covariance": "sandwich" if robust else "maximum_likelihood",
        "distribution": "normal",
        "condition_number": design.condition,
        "rank": len(design.kept),
        "terms": len(design.names),
    }
    if likelihood is not None:
        figures["log_likelihood"] = likelihood
        figures["aic"] = 2 * parameters - 2 * likelihood
        figures["bic"] = float(np.log(rows) * parameters - 2 * likelihood)
    return figures


def _maximise(
    matrix: Floats, codes: npt.NDArray[np.int64], weights: Floats, start: Floats
) -> _Maximum:
    """Newton's method from the fitted model; no covariance where it finds no end."""
    terms, scores = start.shape
    indicators = (codes[:, None] == np.arange(1, scores + 1)).astype(np.float64)
    at, value = start, _deviance(matrix @ start, codes, weights)
    for _ in range(MOST_STEPS):
        shares = np.exp(_logs(matrix @ at))[:, 1:]
        slope = matrix.T @ (weights[:, None] * (indicators - shares))
        try:
            factor = cho_factor(_information(matrix, weights, shares), check_finite=False)
        except LinAlgError:
            return _Maximum(start, None, without_end=True)
        step = cho_solve(factor, slope.T.ravel()).reshape(scores, terms).T
        at, value = _stepped(matrix, codes, weights, at, value, step)
        if not np.isfinite(at).all() or np.abs(matrix @ at).max() > 2 * EXTREME:
            return _Maximum(start, None, without_end=True)
        if np.abs(matrix @ step).max() < CONVERGED:
            return _Maximum(at, cho_solve(factor, np.eye(terms * scores)))
    return _Maximum(start, None, without_end=bool(np.abs(matrix @ at).max() > EXTREME))


def _robust(
    maximum: _Maximum, matrix: Floats, codes: npt.NDArray[np.int64], weights: Floats
) -> _Maximum:
    """With the sandwich of both informations."""
    if maximum.covariance is None:
        return maximum
    odds = matrix @ maximum.coefficients
    observed = codes[:, None] == np.arange(1, odds.shape[1] + 1)
    missed = weights[:, None] * (observed - np.exp(_logs(odds))[:, 1:])
    slopes = np.hstack([column[:, None] * matrix for column in missed.T])
    return replace(maximum, covariance=sandwich(maximum.covariance, slopes))


def sandwich(inverse: Floats, slopes: Floats) -> Floats:
    """The covariance that holds for weights of any unit.

    Parameters
    ----------
    inverse
        Of the information, shape (p, p).
    slopes
        Of the likelihood, by rows: shape (n, p).
    """
    spread = slopes @ inverse
    return spread.T @ spread


def _stepped(
    matrix: Floats,
    codes: npt.NDArray[np.int64],
    weights: Floats,
    at: Floats,
    value: float,
    step: Floats,
) -> tuple[Floats, float]:
    """One step; half of it, again and again, where all of it would go too far."""
    for _ in range(30):
        there = _deviance(matrix @ (at + step), codes, weights)
        if there <= value + 1e-9 * (1 + abs(value)):
            return at + step, there
        step = step / 2
    return at, value


def _information(matrix: Floats, weights: Floats, shares: Floats) -> Floats:
    """The negative second derivative, coefficients of one class together."""
    terms, scores = matrix.shape[1], shares.shape[1]
    made = np.empty((scores * terms, scores * terms))
    for row in range(scores):
        for column in range(scores):
            curve = weights * shares[:, row] * ((row == column) - shares[:, column])
            block = matrix.T @ (curve[:, None] * matrix)
            made[row * terms : (row + 1) * terms, column * terms : (column + 1) * terms] = block
    return made


def _logs(odds: Floats) -> Floats:
    made: Floats = log_softmax(np.column_stack([np.zeros(len(odds)), odds]), axis=1)
    return made


def _deviance(odds: Floats, codes: npt.NDArray[np.int64], weights: Floats) -> float:
    return float(-2 * weights @ _logs(odds)[np.arange(len(codes)), codes])


def _items(design: Identified, maximum: _Maximum, classes: list[str]) -> list[Coefficient]:
    terms = len(design.kept)
    items: list[Coefficient] = []
    for score, name in enumerate(classes[1:]):
        block = slice(score * terms, (score + 1) * terms)
        covariance = None if maximum.covariance is None else maximum.covariance[block, block]
        estimates, errors = design.in_units(maximum.coefficients[:, score], covariance)
        own = [Coefficient(term, None, name) for term in design.names]
        for column, value, error in zip(design.kept, estimates, errors, strict=True):
            own[column] = tested(Coefficient(design.names[column], value, name), error, None)
        items += own
    return items
