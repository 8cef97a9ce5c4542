"""Generalised linear model of the Tweedie family: normal, Poisson, gamma and between."""

from typing import Any, Literal

from pydantic import Field, field_validator

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.refusal import FitRefused
from backend.science.spec import Task


class TweedieParams(Params):
    """Parameters of a Tweedie generalised linear model."""

    power: float = Field(
        1.5,
        ge=0,
        le=3,
        title="Power",
        description="Variance grows with this power of the mean: 0 normal, 1 Poisson, 2 gamma, "
        "3 inverse Gaussian; between 1 and 2 amounts that may be zero. None between 0 and 1",
        json_schema_extra=search_values(0.0, 1.0, 1.25, 1.5, 1.75),
    )
    link: Literal["auto", "identity", "log"] = Field(
        "auto",
        title="Link",
        description="log: effects multiply; identity: they add; auto: identity for power 0",
    )
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

    @field_validator("power")
    @classmethod
    def check_power(cls, power: float) -> float:
        """No distribution of the family has a power between 0 and 1."""
        if 0 < power < 1:
            raise ValueError("there is no Tweedie distribution with a power between 0 and 1")
        return power


def _arguments(params: TweedieParams, _task: Task, _seed: int) -> dict[str, Any]:
    # The usual tolerance of 1e-4 leaves three digits of the estimates.
    return {**params.model_dump(), "tol": 1e-8}


def _check_target(params: TweedieParams, _task: Task, target: Any) -> None:
    below = int((target < 0).sum()) if params.power >= 1 else 0
    if below:
        raise FitRefused(
            f"A Tweedie model of power {params.power:g} is for amounts, but {below:,} rows have a "
            "target below zero. Power 0 takes any number."
        )
    zero = int((target == 0).sum()) if params.power >= 2 else 0  # gamma
    if zero:
        raise FitRefused(
            f"A Tweedie model of power {params.power:g} needs targets above zero, but {zero:,} "
            "rows have the target zero. A power between 1 and 2 takes them."
        )


SPEC = EstimatorSpec(
    name="tweedie",
    title="Tweedie generalised linear model",
    summary="A linear model for targets whose spread grows with their mean: amounts, costs, rates.",
    reference="Jorgensen (1987), Journal of the Royal Statistical Society B 49(2)",
    Params=TweedieParams,
    classes={"regression": "sklearn.linear_model:TweedieRegressor"},
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 100}, "balanced": {}, "accurate": {"max_iter": 10_000}},
    has_coefficients=True,
    check_target=_check_target,
)
