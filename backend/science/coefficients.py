"""The coefficients of a linear fit, told in the units of the dataset's own columns.

Least squares is solved again by QR on standardised columns, where one category of each column is
the reference, so that estimates and standard errors are determined. The model's predictions are the
same. Other linear estimators are told as they are, with scaling undone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import qr, solve_triangular
from scipy.special import stdtr, stdtrit
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from backend.science.design import Design, read_design

Floats = npt.NDArray[np.float64]
INTERCEPT: Final = "(Intercept)"
CONFIDENCE: Final = 0.95
# A column is a combination of others when less of it than this is left beside them.
DEPENDENT: Final = 1e-11
ROUNDING: Final = 64 * float(np.finfo(float).eps)
# From here on, half of a number's digits may be lost.
ILL_CONDITIONED: Final = 1e8


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One term; None where the number is not determined or not known for the estimator.

    Attributes
    ----------
    of_class
        The class whose score it enters; None for regression.
    p_value
        Of the two-sided t test that the term is zero.
    ci_low, ci_high
        Confidence interval of 95 %.
    """

    term: str
    estimate: float | None
    of_class: str | None = None
    standard_error: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The terms of a linear fit.

    Attributes
    ----------
    references
        The category of each column that the others are compared with; it has no term.
    residual_standard_error
        Square root of the residual sum of squares over the degrees of freedom.
    """

    items: list[Coefficient]
    rows: int
    references: dict[str, str] = field(default_factory=dict)
    degrees_of_freedom: int | None = None
    residual_standard_error: float | None = None
    warnings: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As JSON; a number beyond what a float holds is None, and a warning says so."""
        items = [{k: _finite(v) for k, v in asdict(item).items()} for item in self.items]
        spread = _finite(self.residual_standard_error)
        beyond = [
            old.term for old, new in zip(self.items, items, strict=True) if asdict(old) != new
        ]
        doubt = f"Beyond what a number can hold: {', '.join(dict.fromkeys(beyond))}."
        return {
            **asdict(self),
            "items": items,
            "residual_standard_error": spread,
            "warnings": [*self.warnings, doubt] if beyond else self.warnings,
        }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read_coefficients(
    pipeline: Pipeline,
    features: pd.DataFrame,
    target: npt.NDArray[Any],
    classes: Sequence[Any] | None,
) -> Coefficients | None:
    """The coefficients of a fitted pipeline; None where its estimator is not linear.

    Parameters
    ----------
    pipeline
        As `pipeline.build_pipeline` makes it, fitted.
    features
        The n rows that it learnt from.
    target
        Shape (n,).
    classes
        In the order of the pipeline; None for regression.

    References
    ----------
    Golub, Van Loan, Matrix Computations, 5.3; classical standard errors as in R's `lm`.
    """
    final = pipeline[-1]
    if not hasattr(final, "coef_"):
        return None
    design = read_design(pipeline[0], features)
    if type(final) is LinearRegression:
        return _least_squares(design, target.astype(np.float64), intercept=final.fit_intercept)
    return _as_fitted(design, final, classes)


def _as_fitted(design: Design, final: Any, classes: Sequence[Any] | None) -> Coefficients | None:
    slopes = np.atleast_2d(np.asarray(final.coef_, dtype=np.float64))
    # With two classes there is one score: that of the second.
    names = [None] if classes is None else list(classes)[1:] if len(slopes) == 1 else list(classes)
    if slopes.shape != (len(names), len(design.terms)):
        return None
    slopes = slopes / design.scale
    intercepts = np.broadcast_to(final.intercept_, len(names)) - slopes @ design.center
    items: list[Coefficient] = []
    for name, intercept, row in zip(names, intercepts, slopes, strict=True):
        of_class = None if name is None else str(name)
        items.append(Coefficient(INTERCEPT, float(intercept), of_class))
        items += [
            Coefficient(term, float(value), of_class)
            for term, value in zip(design.terms, row, strict=True)
        ]
    return Coefficients(items, rows=len(design.matrix))


@dataclass(frozen=True, slots=True)
class _Standardised:
    """A design of n rows, its columns centred and scaled, beginning with ones for an intercept."""

    terms: list[str]
    matrix: Floats
    center: Floats
    scale: Floats
    tolerance: Floats


def _standardise(design: Design, *, intercept: bool) -> _Standardised:
    matrix = design.matrix
    center = matrix.mean(axis=0) if intercept else np.zeros(matrix.shape[1])
    # Divided by the largest first: squares of very small numbers would be zero.
    largest = np.abs(matrix - center).max(axis=0)
    largest = np.where(largest > 0, largest, 1.0)
    spread = largest * np.sqrt(np.mean(((matrix - center) / largest) ** 2, axis=0))
    scale = np.where(spread > 0, spread, 1.0)
    tolerance = np.maximum(DEPENDENT, ROUNDING * (1 + np.abs(center) / scale))
    made = (matrix - center) / scale
    if not intercept:
        return _Standardised(design.terms, made, center, scale, tolerance)
    return _Standardised(
        [INTERCEPT, *design.terms],
        np.column_stack([np.ones(len(made)), made]),
        np.concatenate([[0.0], center]),
        np.concatenate([[1.0], scale]),
        np.concatenate([[DEPENDENT], tolerance]),
    )


def _least_squares(design: Design, target: Floats, *, intercept: bool) -> Coefficients:
    identified, references = design.without_references(keep_first=not intercept)
    standard = _standardise(identified, intercept=intercept)
    kept, q, r = _factorise(standard)
    solved = solve_triangular(r, q.T @ target)
    freedom = len(target) - len(kept)
    residuals = target - standard.matrix[:, kept] @ solved
    sigma = float(np.sqrt(residuals @ residuals / freedom)) if freedom > 0 else None
    # Row i: what of the standardised coefficients makes coefficient i, but for its scale.
    back = np.eye(len(kept))
    if intercept:
        back[0, 1:] = -(standard.center / standard.scale)[kept[1:]]
    scale = standard.scale[kept]
    spread = np.linalg.norm(back @ solve_triangular(r, np.eye(len(kept))), axis=1) / scale
    items = [Coefficient(term, None) for term in standard.terms]
    for column, estimate, width in zip(kept, back @ solved / scale, spread, strict=True):
        items[column] = _tested(standard.terms[column], estimate, width, sigma, freedom)
    undetermined = [item.term for item in items if item.estimate is None]
    return Coefficients(
        items=items,
        rows=len(target),
        references=references,
        degrees_of_freedom=freedom,
        residual_standard_error=sigma,
        warnings=_doubts(r, undetermined, freedom),
    )


def _factorise(standard: _Standardised) -> tuple[list[int], Floats, Floats]:
    """The columns that are no combination of those before them, and their Q and R."""
    matrix = standard.matrix
    rows, columns = matrix.shape
    norms = np.linalg.norm(matrix, axis=0)
    if columns <= rows:
        q, r = qr(matrix, mode="economic", check_finite=False)
        if (np.abs(np.diag(r)) > standard.tolerance * norms).all():
            return list(range(columns)), q, r
    kept = _independent(standard, norms)
    q, r = qr(matrix[:, kept], mode="economic", check_finite=False)
    return kept, q, r


def _independent(standard: _Standardised, norms: Floats) -> list[int]:
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
        if length > standard.tolerance[column] * norms[column]:
            basis[:, len(kept)] = left / length
            kept.append(column)
    return kept


def _tested(
    term: str, estimate: float, width: float, sigma: float | None, freedom: int
) -> Coefficient:
    value = float(estimate)
    if sigma is None:
        return Coefficient(term, value)
    error = float(width) * sigma
    reach = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    statistic = value / error if error > 0 else None
    return Coefficient(
        term,
        value,
        standard_error=error,
        statistic=statistic,
        p_value=None if statistic is None else float(2 * stdtr(freedom, -abs(statistic))),
        ci_low=value - reach,
        ci_high=value + reach,
    )


def _doubts(r: Floats, undetermined: list[str], freedom: int) -> list[str]:
    warnings = [
        f"{term} is a combination of the terms before it, so its coefficient is not determined."
        for term in undetermined
    ]
    if freedom == 0:
        warnings.append("There are as many terms as rows, so there are no standard errors.")
    condition = float(np.linalg.cond(r / np.linalg.norm(r, axis=0))) if r.size else 1.0
    if condition > ILL_CONDITIONED:
        warnings.append(
            f"The terms nearly depend on each other (condition number {condition:.1e}); "
            "few digits of the coefficients are certain."
        )
    return warnings
