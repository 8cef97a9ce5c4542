"""Lasso: least squares whose penalty makes small coefficients zero."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class LassoParams(Params):
    """Parameters of the lasso."""

    alpha: float = Field(
        0.1,
        ge=1e-8,
        le=1e9,
        title="Penalty",
        description="In units of the target; larger leaves fewer coefficients that are not zero",
        json_schema_extra=search_range(1e-4, 1e3, log=True),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        10_000, ge=10, le=100_000, title="Iterations", description="Most rounds over the columns"
    )


def _arguments(params: LassoParams, _task: Task, seed: int) -> dict[str, Any]:
    # In a random order of the columns it converges many times sooner where they agree.
    return {**params.model_dump(), "selection": "random", "random_state": seed}


SPEC = EstimatorSpec(
    name="lasso",
    title="Lasso",
    summary="A linear model that sets coefficients to zero, and so chooses among the columns.",
    reference="Tibshirani (1996), Journal of the Royal Statistical Society B 58(1)",
    Params=LassoParams,
    classes={"regression": "sklearn.linear_model:Lasso"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 1_000}, "balanced": {}, "accurate": {"max_iter": 100_000}},
    has_coefficients=True,
)
