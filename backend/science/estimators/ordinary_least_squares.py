"""Ordinary least squares."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task


class OrdinaryLeastSquaresParams(Params):
    """Parameters of ordinary least squares."""

    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")


def _arguments(params: OrdinaryLeastSquaresParams, _task: Task, _seed: int) -> dict[str, Any]:
    return {"fit_intercept": params.fit_intercept}


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
)
