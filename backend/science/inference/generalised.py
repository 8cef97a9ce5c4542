"""What maximum likelihood tells of a generalised linear model of the Tweedie family."""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr, solve_triangular
from scipy.special import gammaln, xlogy

from backend.science.inference.identified import Identified
from backend.science.inference.least_squares import tested
from backend.science.inference.likelihood import (
    CONVERGED,
    EXTREME,
    MOST_STEPS,
    NOT_FOUND,
    SAME,
    SEPARATED,
    STOPPED,
    sandwich,
    whole,
)
from backend.science.inference.terms import Coefficient, Coefficients

Floats = npt.NDArray[np.float64]
Link = Literal["identity", "log"]
POISSON: Final = 1.0


@dataclass(frozen=True, slots=True)
class Family:
    """A variance that grows with a power of the mean, and the link to the linear predictor."""

    power: float
    link: Link

    def mean(self, predictor: Floats) -> Floats:
        """The mean, shape (n,)."""
        return np.exp(predictor) if self.link == "log" else predictor

    def deviance(self, target: Floats, mean: Floats, weights: Floats) -> float:
        """Twice what the likelihood lacks to a perfect fit, times the dispersion."""
        if self.power > 0 and not (mean > 0).all():
            return np.inf
        return float(2 * weights @ self._unit_deviance(target, mean))

    def _unit_deviance(self, target: Floats, mean: Floats) -> Floats:
        p = self.power
        if p == 0:
            return (target - mean) ** 2 / 2
        if p == POISSON:
            return np.asarray(xlogy(target, target / mean) - target + mean)
        if p == 2:
            return np.log(mean / target) + target / mean - 1
        own = np.maximum(target, 0) ** (2 - p) / ((1 - p) * (2 - p))
        return own - target * mean ** (1 - p) / (1 - p) + mean ** (2 - p) / (2 - p)

    def log_likelihood(
        self, target: Floats, mean: Floats, weights: Floats, dispersion: float
    ) -> float | None:
        """At this dispersion; None between the powers, where it has no closed form."""
        if self.power == 0:
            rows, rss = len(target), float(weights @ (target - mean) ** 2)
            if rss <= 0:
                return None
            return float(
                -rows / 2 * (np.log(2 * np.pi * rss / rows) + 1) + np.log(weights).sum() / 2
            )
        if self.power == POISSON:
            return float(weights @ (xlogy(target, mean) - mean - gammaln(target + 1)))
        if self.power not in (2.0, 3.0) or dispersion <= 0:
            return None
        shape = weights / dispersion
        if self.power == 2:  # gamma
            ratio = shape * target / mean
            parts = xlogy(shape, ratio) - ratio - gammaln(shape) - np.log(target)
            return float(parts.sum())
        squares = shape * (target - mean) ** 2 / (target * mean**2)
        return float(-0.5 * (squares + np.log(2 * np.pi * target**3 / shape)).sum())


@dataclass(frozen=True, slots=True)
class _Maximum:
    coefficients: Floats
    # Of the standardised coefficients, but for the dispersion.
    covariance: Floats | None
    without_end: bool = False


def generalised(
    design: Identified,
    family: Family,
    target: Floats,
    weights: Floats,
    fitted: Floats,
    *,
    robust: bool = False,
) -> Coefficients:
    """Wald tests at the maximum of the likelihood.

    Parameters
    ----------
    design
        The n rows.
    target, weights
        Shape (n,); positive weights divide the variance.
    fitted
        Shape (n,): the linear predictor of the model.
    robust
        For weights that count no rows: of a Poisson model, whose dispersion does not take up their
        unit, errors that this unit does not change, and no likelihood.

    References
    ----------
    McCullagh, Nelder, Generalized Linear Models, 1989, chapter 2; White 1982 for `robust`.
    """
    maximum = _maximise(design, family, target, weights, fitted)
    predictor = design.matrix @ maximum.coefficients
    mean = family.mean(predictor)
    freedom = len(target) - len(design.kept)
    dispersion = _dispersion(family, target, mean, weights, freedom)
    robust = robust and family.power == POISSON
    if robust:
        maximum, dispersion = _robust(maximum, design, family, (target, mean, weights)), None
    doubts = design.doubts()
    if maximum.covariance is None:
        doubts.append(SEPARATED if maximum.without_end else NOT_FOUND)
    elif np.abs(predictor - fitted).max() > SAME * max(1.0, float(np.abs(predictor).max())):
        doubts.append(STOPPED)
    likelihood = None
    if dispersion is not None:
        likelihood = family.log_likelihood(target, mean, weights, dispersion)
    estimated = dispersion is not None and family.power != POISSON
    return Coefficients(
        items=_items(design, maximum, 1.0 if robust else dispersion),
        rows=len(target),
        references=design.references,
        degrees_of_freedom=freedom,
        residual_standard_error=float(np.sqrt(dispersion)) if dispersion and estimated else None,
        deviance=family.deviance(target, mean, weights),
        null_deviance=_null_deviance(design, family, target, weights),
        dispersion=dispersion,
        warnings=doubts,
        **whole(design, likelihood, len(design.kept), len(target), robust=robust),
    )


def _robust(
    maximum: _Maximum, design: Identified, family: Family, rows: tuple[Floats, Floats, Floats]
) -> _Maximum:
    """With the sandwich of both informations; rows are their targets, means and weights."""
    if maximum.covariance is None:
        return maximum
    target, mean, weights = rows
    slope = mean if family.link == "log" else np.ones_like(mean)
    missed = weights * (target - mean) * slope / mean**family.power
    covariance = sandwich(maximum.covariance, missed[:, None] * design.matrix)
    return replace(maximum, covariance=covariance)


def _dispersion(
    family: Family, target: Floats, mean: Floats, weights: Floats, freedom: int
) -> float | None:
    """One for counts; else Pearson's statistic over the degrees of freedom."""
    if family.power == POISSON:
        return 1.0
    if freedom <= 0:
        return None
    return float(weights @ ((target - mean) ** 2 / mean**family.power)) / freedom


def _null_deviance(
    design: Identified, family: Family, target: Floats, weights: Floats
) -> float | None:
    center = float(weights @ target / weights.sum())
    if not design.intercept:
        center = float(family.mean(np.zeros(1))[0])
    value = family.deviance(target, np.full_like(target, center), weights)
    return value if np.isfinite(value) else None


def _maximise(
    design: Identified, family: Family, target: Floats, weights: Floats, fitted: Floats
) -> _Maximum:
    """Iteratively reweighted least squares from the fitted model."""
    matrix = design.matrix
    start = at = design.coordinates(fitted)
    value = family.deviance(target, family.mean(matrix @ at), weights)
    center = float(fitted.mean())
    for _ in range(MOST_STEPS):
        predictor = matrix @ at
        mean = family.mean(predictor)
        slope = mean if family.link == "log" else np.ones_like(mean)
        roots = np.sqrt(weights * slope**2 / mean**family.power)
        q, r = qr(roots[:, None] * matrix, mode="economic", check_finite=False)
        if not _determined(r):
            return _Maximum(start, None, without_end=True)
        step = solve_triangular(r, q.T @ (roots * (target - mean) / slope))
        at, value = _stepped(matrix, family, target, weights, at, value, step)
        moved = np.abs(matrix @ step).max() / max(1.0, float(np.abs(predictor).max()))
        if family.link == "log" and np.abs(matrix @ at - center).max() > 2 * EXTREME:
            return _Maximum(start, None, without_end=True)
        if moved < CONVERGED:
            inverse = solve_triangular(r, np.eye(len(r)))
            return _Maximum(at, inverse @ inverse.T)
    far = family.link == "log" and np.abs(matrix @ at - center).max() > EXTREME
    return _Maximum(start, None, without_end=bool(far))


def _determined(r: Floats) -> bool:
    sizes = np.linalg.norm(r, axis=0)
    return bool(np.isfinite(r).all() and (np.abs(np.diag(r)) > 1e-11 * sizes).all())


def _stepped(
    matrix: Floats,
    family: Family,
    target: Floats,
    weights: Floats,
    at: Floats,
    value: float,
    step: Floats,
) -> tuple[Floats, float]:
    """One step; half of it, again and again, where all of it would go too far."""
    for _ in range(30):
        with np.errstate(over="ignore"):
            mean = family.mean(matrix @ (at + step))
        there = family.deviance(target, mean, weights) if np.isfinite(mean).all() else np.inf
        if there <= value + 1e-9 * (1 + abs(value)):
            return at + step, there
        step = step / 2
    return at, value


def _items(design: Identified, maximum: _Maximum, dispersion: float | None) -> list[Coefficient]:
    covariance = None
    if maximum.covariance is not None and dispersion is not None:
        covariance = dispersion * maximum.covariance
    estimates, errors = design.in_units(maximum.coefficients, covariance)
    items = [Coefficient(term, None) for term in design.names]
    for column, value, error in zip(design.kept, estimates, errors, strict=True):
        items[column] = tested(Coefficient(design.names[column], value), error, None)
    return items
