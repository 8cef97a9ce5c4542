"""Huber regression: outliers count by their distance, not by its square."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class HuberParams(Params):
    """Parameters of Huber regression."""

    epsilon: float = Field(
        1.35,
        ge=1.0,
        le=100,
        title="Threshold",
        description="Residuals beyond so many scales count as outliers; smaller is more robust",
        json_schema_extra=search_range(1.05, 3.0),
    )
    alpha: float = Field(
        0.0001,
        ge=0,
        le=1e9,
        title="Penalty",
        description="On the squared coefficients; 0 for none",
        json_schema_extra=search_range(1e-6, 1e2, log=True),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        1_000, ge=10, le=100_000, title="Iterations", description="Most steps of the solver"
    )


def _arguments(params: HuberParams, _task: Task, _seed: int) -> dict[str, Any]:
    return params.model_dump()


SPEC = EstimatorSpec(
    name="huber",
    title="Huber regression",
    summary="A linear model that single wild rows cannot move far.",
    reference="Huber (1964), The Annals of Mathematical Statistics 35(1)",
    Params=HuberParams,
    classes={"regression": "sklearn.linear_model:HuberRegressor"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 100}, "balanced": {}, "accurate": {"max_iter": 10_000}},
    has_coefficients=True,
)
