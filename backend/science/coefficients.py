"""The coefficients of a linear fit, told in the units of the dataset's own columns.

Least squares and maximum likelihood are solved again on standardised columns, where one category of
each column is the reference, so that estimates and standard errors are determined. The model's
predictions are the same. Other linear estimators are told as they are, with scaling undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from sklearn.pipeline import Pipeline

from backend.science.design import Design, learns_from_target, read_design
from backend.science.inference.generalised import POISSON, Family, generalised
from backend.science.inference.identified import identify
from backend.science.inference.least_squares import Errors, least_squares
from backend.science.inference.likelihood import MOST_PARAMETERS, logistic
from backend.science.inference.terms import INTERCEPT, Coefficient, Coefficients

Floats = npt.NDArray[np.float64]
PENALISED: Final = (
    "A penalty shrinks the estimates, so there are no standard errors: the usual ones would be "
    "wrong."
)
OTHER: Final = (
    "Standard errors are told for least squares, and for logistic and generalised linear models "
    "without a penalty."
)
TOO_MANY: Final = f"There are more than {MOST_PARAMETERS:,} parameters: too many for tests."
ENCODED: Final = "Categories are encoded by the target, so standard errors would be too small."
BALANCED: Final = (
    "Weights of classes change how often each class seems to be there, so the usual standard "
    "errors would be wrong."
)
WEIGHTED: Final = (
    "The rows have weights: standard errors are robust ones (sandwich), which the unit of the "
    "weights does not change, and there are no likelihood, AIC and BIC."
)
TRANSFORMED: Final = "The coefficients are those of the transformed target."


def read_coefficients(
    pipeline: Pipeline,
    features: pd.DataFrame,
    target: npt.NDArray[Any],
    classes: Sequence[Any] | None,
    *,
    errors: Errors = "classical",
    weights: Floats | None = None,
    balanced: bool = False,
) -> Coefficients | None:
    """The coefficients of a fitted pipeline; None where its estimator is not linear.

    Parameters
    ----------
    pipeline
        As `pipeline.build_pipeline` makes it, fitted.
    features
        The n rows that it learnt from.
    target, weights
        Shape (n,).
    classes
        In the order of the pipeline; None for regression.
    errors
        How the standard errors of least squares are computed.
    balanced
        Whether classes are weighted.

    References
    ----------
    Golub, Van Loan, Matrix Computations, 5.3; classical standard errors as in R's `lm`.
    """
    final, values, notes = pipeline[-1], target, list[str]()
    if isinstance(final, TransformedTargetRegressor):
        values = final.transformer_.transform(target.astype(np.float64)[:, None])[:, 0]
        final, notes = final.regressor_, [TRANSFORMED]
    if not hasattr(final, "coef_"):
        return None
    design = read_design(pipeline[0], features)
    reason = _why_not(pipeline, final, design, balanced=balanced)
    if reason is not None:
        told = _as_fitted(design, final, classes)
        return told and replace(told, notes=[reason, *notes])
    weighted = weights is not None
    rows = _Rows(design, values, np.ones(len(values)) if weights is None else weights)
    if not isinstance(final, LinearRegression):
        rows = replace(rows, prepared=pipeline[:-1].transform(features))
    rows = rows.weighted()
    told = _solved(rows, final, errors, robust=weighted)
    if told.covariance == "sandwich":
        notes.append(WEIGHTED)
    return replace(told, notes=notes)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a final step learnt from: n rows; least squares needs no more than their design."""

    design: Design
    target: npt.NDArray[Any]
    weights: Floats
    prepared: Any = None

    def weighted(self) -> "_Rows":
        """Those with a weight."""
        used = self.weights > 0
        if used.all():
            return self
        design = replace(self.design, matrix=self.design.matrix[used])
        prepared = None if self.prepared is None else self.prepared[used]
        return _Rows(design, self.target[used], self.weights[used], prepared)


def _why_not(pipeline: Pipeline, final: Any, design: Design, *, balanced: bool) -> str | None:
    """Why there is no more to tell than estimates."""
    if isinstance(final, LogisticRegression):
        penalised = np.isfinite(final.C)
        many = final.coef_.size > MOST_PARAMETERS
    elif isinstance(final, PoissonRegressor | TweedieRegressor):
        penalised, many = final.alpha > 0, len(design.terms) > MOST_PARAMETERS
    elif type(final) is LinearRegression:
        penalised = many = False
    else:
        return PENALISED if getattr(final, "alpha", 0) or hasattr(final, "l1_ratio") else OTHER
    if penalised:
        return PENALISED
    if balanced:
        return BALANCED
    if many:
        return TOO_MANY
    return ENCODED if learns_from_target(pipeline[0]) else None


def _solved(rows: _Rows, final: Any, errors: Errors, *, robust: bool) -> Coefficients:
    intercept = bool(final.fit_intercept)
    if isinstance(final, LinearRegression):
        values = rows.target.astype(np.float64)
        return least_squares(rows.design, values, rows.weights, intercept=intercept, errors=errors)
    identified = identify(rows.design, intercept=intercept)
    if isinstance(final, LogisticRegression):
        odds = final.decision_function(rows.prepared)
        odds = odds[:, None] if odds.ndim == 1 else odds[:, 1:] - odds[:, :1]
        codes = np.searchsorted(final.classes_, rows.target)
        names = [str(name) for name in final.classes_.tolist()]
        return logistic(identified, codes, rows.weights, odds, names, robust=robust)
    fitted = rows.prepared @ final.coef_ + final.intercept_
    values = rows.target.astype(np.float64)
    family = _family(final)
    return generalised(identified, family, values, rows.weights, fitted, robust=robust)


def _family(final: PoissonRegressor | TweedieRegressor) -> Family:
    if isinstance(final, PoissonRegressor):
        return Family(POISSON, "log")
    identity = final.link == "identity" or (final.link == "auto" and final.power <= 0)
    return Family(float(final.power), "identity" if identity else "log")


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
