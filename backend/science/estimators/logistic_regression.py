"""Logistic regression."""

from typing import Any, Final, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task

L1_RATIOS: Final = {"none": 0.0, "l2": 0.0, "l1": 1.0}


class LogisticRegressionParams(Params):
    """Parameters of logistic regression."""

    penalty: Literal["none", "l2", "l1"] = Field(
        "l2",
        title="Penalty",
        description="l2 shrinks, l1 makes coefficients zero, none is maximum likelihood and has "
        "standard errors",
    )
    C: float = Field(
        1.0,
        ge=1e-9,
        le=1e9,
        title="Inverse penalty",
        description="Smaller shrinks more; without effect where the penalty is none",
        json_schema_extra=search_range(1e-4, 1e4, log=True),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        1_000, ge=10, le=100_000, title="Iterations", description="Most steps of the solver"
    )


def _arguments(params: LogisticRegressionParams, _task: Task, seed: int) -> dict[str, Any]:
    exact = params.penalty == "none"
    return {
        "C": float("inf") if exact else params.C,
        "l1_ratio": L1_RATIOS[params.penalty],
        "fit_intercept": params.fit_intercept,
        "max_iter": params.max_iter,
        # Newton's steps end at the maximum itself, which the standard errors are taken at.
        "solver": {"none": "newton-cg", "l2": "lbfgs", "l1": "saga"}[params.penalty],
        "tol": 1e-8 if exact else 1e-4,
        "random_state": seed,
    }


SPEC = EstimatorSpec(
    name="logistic_regression",
    title="Logistic regression",
    summary="A linear model of the log odds of the classes.",
    reference="Cox (1958), Journal of the Royal Statistical Society B 20(2)",
    Params=LogisticRegressionParams,
    classes={
        "binary": "sklearn.linear_model:LogisticRegression",
        "multiclass": "sklearn.linear_model:LogisticRegression",
    },
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 100}, "balanced": {}, "accurate": {"max_iter": 10_000}},
    has_coefficients=True,
)
