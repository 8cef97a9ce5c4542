"""Bayesian ridge: the penalty is estimated from the data."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class BayesianRidgeParams(Params):
    """Parameters of Bayesian ridge: shapes and rates of the two Gamma priors."""

    alpha_1: float = Field(
        1e-6,
        ge=1e-12,
        le=1e6,
        title="Shape of the noise's prior",
        description="Of the Gamma prior of the noise's precision",
        json_schema_extra=search_range(1e-8, 1e-2, log=True),
    )
    alpha_2: float = Field(
        1e-6,
        ge=1e-12,
        le=1e6,
        title="Rate of the noise's prior",
        description="Of the Gamma prior of the noise's precision",
    )
    lambda_1: float = Field(
        1e-6,
        ge=1e-12,
        le=1e6,
        title="Shape of the coefficients' prior",
        description="Of the Gamma prior of the coefficients' precision",
        json_schema_extra=search_range(1e-8, 1e-2, log=True),
    )
    lambda_2: float = Field(
        1e-6,
        ge=1e-12,
        le=1e6,
        title="Rate of the coefficients' prior",
        description="Of the Gamma prior of the coefficients' precision",
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        300, ge=1, le=10_000, title="Iterations", description="Most updates of the two precisions"
    )


def _arguments(params: BayesianRidgeParams, _task: Task, _seed: int) -> dict[str, Any]:
    return params.model_dump()


SPEC = EstimatorSpec(
    name="bayesian_ridge",
    title="Bayesian ridge",
    summary="Ridge that finds its own penalty by maximising the evidence.",
    reference="MacKay (1992), Neural Computation 4(3)",
    Params=BayesianRidgeParams,
    classes={"regression": "sklearn.linear_model:BayesianRidge"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 50}, "balanced": {}, "accurate": {"max_iter": 3_000}},
    has_coefficients=True,
)
