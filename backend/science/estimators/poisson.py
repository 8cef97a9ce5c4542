"""Poisson regression: counts and rates, with a log link."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.refusal import FitRefused
from backend.science.spec import Task


class PoissonParams(Params):
    """Parameters of Poisson regression."""

    alpha: float = Field(
        0.0,
        ge=0,
        le=1e9,
        title="Penalty",
        description="0 is maximum likelihood, with standard errors; larger shrinks more",
        json_schema_extra=search_range(1e-6, 10.0, log=True),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        1_000, ge=10, le=100_000, title="Iterations", description="Most steps of the solver"
    )


def _arguments(params: PoissonParams, _task: Task, _seed: int) -> dict[str, Any]:
    # The usual tolerance of 1e-4 leaves three digits of the estimates.
    return {**params.model_dump(), "tol": 1e-8}


def _check_target(_params: PoissonParams, _task: Task, target: Any) -> None:
    negative = int((target < 0).sum())
    if negative:
        raise FitRefused(
            f"Poisson regression is for counts and rates, but {negative:,} rows have a target "
            "below zero."
        )
    if not target.any():
        raise FitRefused("All rows to learn from have the target zero.")


SPEC = EstimatorSpec(
    name="poisson",
    title="Poisson regression",
    summary="A generalised linear model of counts and rates; effects multiply.",
    reference="McCullagh, Nelder (1989), Generalized Linear Models, chapter 6",
    Params=PoissonParams,
    classes={"regression": "sklearn.linear_model:PoissonRegressor"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 100}, "balanced": {}, "accurate": {"max_iter": 10_000}},
    has_coefficients=True,
    check_target=_check_target,
)
