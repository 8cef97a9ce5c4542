"""The table of an ordinary or weighted least squares fit, as R's `lm` and statsmodels tell it."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc, ndtr, ndtri, stdtr, stdtrit

from backend.science.design import Design
from backend.science.inference.extended import solve_extended
from backend.science.inference.projection import (
    Projection,
    Standardised,
    factorise,
    lost,
    project,
    standardise,
)
from backend.science.inference.terms import CONFIDENCE, INTERCEPT, Coefficient, Coefficients

Floats = npt.NDArray[np.float64]
Errors = Literal["classical", "hc3"]
# From here on, small errors in the data change most digits of the coefficients.
ILL_CONDITIONED: Final = 1e6
INFLATED: Final = 10.0
# Twice the precision where doubles may leave fewer digits, on designs where it costs a second.
FEWEST_DIGITS: Final = 1e-10
MOST_WORK: Final = 10_000_000
NO_FREEDOM: Final = 1e-10
SHOWN: Final = 10
FEW: Final = 3
COMBINATION: Final = (
    "{term} is a combination of the terms before it, so its coefficient is not determined."
)


def least_squares(
    design: Design, target: Floats, weights: Floats, *, intercept: bool, errors: Errors
) -> Coefficients:
    """Solve by QR on standardised columns, where needed in twice the precision.

    Parameters
    ----------
    design
        Its n rows with all categories; the first of each column becomes the reference.
    target, weights
        Shape (n,); weights are positive.
    errors
        `hc3`: standard errors for residuals of unequal spread.

    References
    ----------
    Golub, Van Loan, Matrix Computations, 5.3; MacKinnon, White 1985 for HC3; Belsley, Kuh, Welsch
    1980 for condition numbers and inflation factors.
    """
    identified, references = design.without_references(keep_first=not intercept)
    matrix = identified.matrix
    standard = standardise(matrix, weights, intercept=intercept)
    kept, q, r = factorise(standard)
    whitened = target * np.sqrt(weights)
    found = project(standard, kept, q, r, whitened)
    small = len(target) * len(kept) ** 2 <= MOST_WORK
    if small and not lost(standard, kept, found, whitened) < FEWEST_DIGITS:
        own = [at - 1 for at in kept if at > 0] if intercept else kept
        found = solve_extended(matrix[:, own], target, weights, intercept=intercept)
    names = [INTERCEPT, *identified.terms] if intercept else identified.terms
    condition = float(np.linalg.cond(r / np.linalg.norm(r, axis=0))) if r.size else 1.0
    table = _Table(names, kept, standard, found, weights, condition, errors)
    return table.told(references)


@dataclass(frozen=True, slots=True)
class _Table:
    """A solved problem on its way to what is told of it."""

    names: list[str]
    kept: list[int]
    standard: Standardised
    found: Projection
    weights: Floats
    condition: float
    errors: Errors

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.weights)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the residuals."""
        return self.rows - len(self.kept)

    @property
    def constant(self) -> int:
        """How many terms are the intercept: 0 or 1."""
        return int(self.standard.intercept)

    def told(self, references: dict[str, str]) -> Coefficients:
        """All terms and figures; `references` are the categories without a term."""
        found, freedom = self.found, self.freedom
        variance = found.rss / freedom if freedom > 0 else None
        covariance, doubts = self._covariance(variance)
        inflation = self._inflation()
        items = [Coefficient(term, None) for term in self.names]
        for at, column in enumerate(self.kept):
            error = None
            if covariance is not None:
                error = float(np.sqrt(covariance[at, at]) / found.units[at])
            items[column] = tested(
                Coefficient(self.names[column], float(found.estimates[at]), vif=inflation[at]),
                error,
                freedom,
            )
        return Coefficients(
            items=items,
            rows=self.rows,
            references=references,
            covariance=self.errors,
            distribution="t",
            degrees_of_freedom=freedom,
            residual_standard_error=None if variance is None else float(np.sqrt(variance)),
            condition_number=self.condition,
            rank=len(self.kept),
            terms=len(self.names),
            warnings=[*self._doubts(items), *doubts],
            **self._whole(variance, covariance),
        )

    def _covariance(self, variance: float | None) -> tuple[Floats | None, list[str]]:
        """Of the coefficients in the solution's units."""
        factor = self.found.factor
        if variance is None:
            return None, []
        if self.errors == "classical":
            return variance * (factor @ factor.T), []
        leverage = (self.found.basis**2).sum(axis=1)
        certain = int((leverage > 1 - NO_FREEDOM).sum())
        if certain:
            return None, [
                "HC3 standard errors are not defined: coefficients are determined by single rows "
                f"(leverage 1, {certain:,} of {self.rows:,} rows). Use the classical ones, or "
                "fewer terms."
            ]
        spread = (self.found.residuals / (1 - leverage))[:, None] * (self.found.basis @ factor.T)
        return spread.T @ spread, []

    def _inflation(self) -> list[float | None]:
        sizes = self.standard.norms[self.kept] * (self.standard.scale[self.kept] / self.found.units)
        found = (sizes * np.linalg.norm(self.found.factor, axis=1)) ** 2
        # The intercept's own is about the units of the columns, not about certainty.
        none = self.constant if self.kept[:1] == [0] else 0
        return [None] * none + [float(value) for value in found[none:]]

    def _whole(self, variance: float | None, covariance: Floats | None) -> dict[str, Any]:
        found, rows, rank = self.found, self.rows, len(self.kept)
        tested_terms, r2 = rank - self.constant, None
        if found.tss > 0:
            r2 = 1 - found.rss / found.tss
        figures: dict[str, Any] = {"r2": r2}
        if variance is None:
            return figures
        if r2 is not None:
            figures["adjusted_r2"] = 1 - (1 - r2) * (rows - self.constant) / self.freedom
        if found.rss > 0:
            likelihood = -rows / 2 * (np.log(2 * np.pi * found.rss / rows) + 1)
            likelihood = float(likelihood + np.log(self.weights).sum() / 2)
            figures["log_likelihood"] = likelihood
            figures["aic"] = 2 * rank - 2 * likelihood
            figures["bic"] = float(np.log(rows) * rank - 2 * likelihood)
        if tested_terms > 0 and found.rss > 0 and covariance is not None:
            value = self._f_statistic(variance, covariance, tested_terms)
            figures["f_statistic"] = value
            figures["f_p_value"] = float(fdtrc(tested_terms, self.freedom, value))
        return figures

    def _f_statistic(self, variance: float, covariance: Floats, count: int) -> float:
        """Of all terms together; with HC3 the Wald test's."""
        found = self.found
        if self.errors == "classical":
            return (found.tss - found.rss) / count / variance
        sizes = np.sqrt(np.diag(covariance))[self.constant :]
        ratios = (found.estimates * found.units)[self.constant :] / sizes
        correlation = covariance[self.constant :, self.constant :] / np.outer(sizes, sizes)
        return float(ratios @ np.linalg.solve(correlation, ratios)) / count

    def _doubts(self, items: list[Coefficient]) -> list[str]:
        warnings = doubt_dependent([item.term for item in items if item.estimate is None])
        if self.freedom == 0:
            warnings.append("There are as many terms as rows, so there are no standard errors.")
        warnings += doubt_condition(self.condition)
        inflated = [item.term for item in items if item.vif is not None and item.vif > INFLATED]
        if inflated:
            shown = ", ".join(inflated[:SHOWN]) + (", …" if len(inflated) > SHOWN else "")
            warnings.append(
                f"Collinear terms (variance inflation above {INFLATED:g}): {shown}. Their "
                "coefficients are uncertain one by one; predictions are not affected."
            )
        return warnings


def doubt_dependent(terms: list[str]) -> list[str]:
    """Warnings about terms that are not determined; many are told together."""
    if len(terms) <= FEW:
        return [COMBINATION.format(term=term) for term in terms]
    shown = ", ".join(terms[:SHOWN]) + (", …" if len(terms) > SHOWN else "")
    return [
        f"{len(terms):,} terms are combinations of those before them, so their coefficients are "
        f"not determined: {shown}."
    ]


def doubt_condition(condition: float) -> list[str]:
    """A warning where the condition number of the standardised design is high."""
    if not condition > ILL_CONDITIONED:
        return []
    return [
        f"The terms nearly depend on each other (condition number {condition:.1e}); small errors "
        "in the data change the coefficients a lot."
    ]


def tested(item: Coefficient, error: float | None, freedom: int | None) -> Coefficient:
    """The term with its test: Student's t with so many degrees of freedom; None: the normal."""
    if error is None or item.estimate is None:
        return item
    level = (1 + CONFIDENCE) / 2
    reach = error * float(ndtri(level) if freedom is None else stdtrit(freedom, level))
    statistic = item.estimate / error if error > 0 else None
    p_value = None
    if statistic is not None:
        beyond = -abs(statistic)
        p_value = 2 * float(ndtr(beyond) if freedom is None else stdtr(freedom, beyond))
    return replace(
        item,
        standard_error=error,
        statistic=statistic,
        p_value=p_value,
        ci_low=item.estimate - reach,
        ci_high=item.estimate + reach,
    )
