"""Elastic net: between ridge and lasso."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class ElasticNetParams(Params):
    """Parameters of the elastic net."""

    alpha: float = Field(
        0.1,
        ge=1e-8,
        le=1e9,
        title="Penalty",
        description="Larger shrinks more; its absolute part is in units of the target",
        json_schema_extra=search_range(1e-4, 1e2, log=True),
    )
    l1_ratio: float = Field(
        0.5,
        ge=0.01,
        le=1,
        title="Share of the lasso",
        description="1 is the lasso; towards 0 it becomes ridge",
        json_schema_extra=search_range(0.05, 1.0),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        10_000, ge=10, le=100_000, title="Iterations", description="Most rounds over the columns"
    )


def _arguments(params: ElasticNetParams, _task: Task, seed: int) -> dict[str, Any]:
    # In a random order of the columns it converges many times sooner where they agree.
    return {**params.model_dump(), "selection": "random", "random_state": seed}


SPEC = EstimatorSpec(
    name="elastic_net",
    title="Elastic net",
    summary="A linear model that chooses among columns, and keeps those together that agree.",
    reference="Zou, Hastie (2005), Journal of the Royal Statistical Society B 67(2)",
    Params=ElasticNetParams,
    classes={"regression": "sklearn.linear_model:ElasticNet"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 1_000}, "balanced": {}, "accurate": {"max_iter": 100_000}},
    has_coefficients=True,
)
