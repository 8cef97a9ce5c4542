"""A design whose terms are determined: reference categories gone, columns of one size."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lstsq

from backend.science.design import Design
from backend.science.inference.least_squares import doubt_condition, doubt_dependent
from backend.science.inference.projection import factorise, standardise
from backend.science.inference.terms import INTERCEPT

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Identified:
    """A design of n rows and p terms, of which r are determined.

    Attributes
    ----------
    matrix
        Shape (n, r), standardised.
    back, units
        Shapes (r, r) and (r,): `back @ standardised / units` are the columns' coefficients.
    names
        Of all p terms.
    kept
        Which of them are determined.
    """

    matrix: Floats
    back: Floats
    units: Floats
    names: list[str]
    kept: list[int]
    references: dict[str, str]
    condition: float
    intercept: bool

    def in_units(
        self, standardised: Floats, covariance: Floats | None
    ) -> tuple[list[float], list[float | None]]:
        """Estimates and standard errors of the columns' coefficients.

        Parameters
        ----------
        standardised
            Shape (r,).
        covariance
            Shape (r, r); None where there is none.
        """
        estimates = self.back @ standardised / self.units
        if covariance is None:
            return estimates.tolist(), [None] * len(estimates)
        variances = np.diag(self.back @ covariance @ self.back.T)
        return estimates.tolist(), (np.sqrt(variances) / self.units).tolist()

    def coordinates(self, predictor: Floats) -> Floats:
        """Standardised coefficients of a linear predictor, shape (n,) or (n, k)."""
        found: Floats = lstsq(self.matrix, predictor, check_finite=False)[0]
        return found

    def doubts(self) -> list[str]:
        """What is doubtful about the design alone."""
        gone = [name for at, name in enumerate(self.names) if at not in self.kept]
        return doubt_dependent(gone) + doubt_condition(self.condition)


def identify(design: Design, *, intercept: bool) -> Identified:
    """Leave out reference categories and terms that are combinations of others.

    Parameters
    ----------
    design
        As the estimator saw it, all categories with it.
    intercept
        Whether a column of ones goes first.
    """
    chosen, references = design.without_references(keep_first=not intercept)
    standard = standardise(chosen.matrix, np.ones(len(chosen.matrix)), intercept=intercept)
    kept, _, r = factorise(standard)
    return Identified(
        matrix=standard.matrix[:, kept],
        back=standard.back(kept),
        units=standard.scale[kept],
        names=[INTERCEPT, *chosen.terms] if intercept else chosen.terms,
        kept=kept,
        references=references,
        condition=float(np.linalg.cond(r / np.linalg.norm(r, axis=0))) if r.size else 1.0,
        intercept=intercept,
    )
