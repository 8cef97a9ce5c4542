"""Ordinary least squares."""

from typing import Any, Final, Literal

from pydantic import Field

from backend.science.estimator_spec import NOT_SEARCHED, EstimatorSpec, Params
from backend.science.spec import Task

# scikit-learn leaves out directions below 1e-6 of the largest, and with them what a polynomial of
# degree ten says; below this one they are rounding.
SMALLEST_DIRECTION: Final = 1e-12


class OrdinaryLeastSquaresParams(Params):
    """Parameters of ordinary least squares."""

    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    standard_errors: Literal["classical", "hc3"] = Field(
        "classical",
        title="Standard errors",
        description="hc3 is right also where the residuals' spread is not the same everywhere",
        json_schema_extra=NOT_SEARCHED,
    )


def _arguments(params: OrdinaryLeastSquaresParams, _task: Task, _seed: int) -> dict[str, Any]:
    # How errors are told is no matter of the model: `inference` reads it.
    return {"fit_intercept": params.fit_intercept, "tol": SMALLEST_DIRECTION}


SPEC = EstimatorSpec(
    name="ordinary_least_squares",
    title="Ordinary least squares",
    summary="A linear model that minimises the sum of squared residuals.",
    reference="Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 3.2",
    Params=OrdinaryLeastSquaresParams,
    classes={"regression": "sklearn.linear_model:LinearRegression"},
    arguments=_arguments,
    # On raw columns the solver loses all digits of ill-conditioned problems, silently.
    scale=True,
    has_coefficients=True,
)
