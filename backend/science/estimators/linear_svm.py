"""Linear support vector machine."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class LinearSvmParams(Params):
    """Parameters of a linear support vector machine."""

    C: float = Field(
        1.0,
        ge=1e-6,
        le=1e6,
        title="Cost",
        description="Of rows on the wrong side; smaller makes a simpler model",
        json_schema_extra=search_range(1e-3, 1e2, log=True),
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")
    max_iter: int = Field(
        2_000, ge=10, le=100_000, title="Iterations", description="Most steps of the solver"
    )


def _arguments(params: LinearSvmParams, _task: Task, seed: int) -> dict[str, Any]:
    # The primal is solved by Newton's method: it draws nothing at random and needs few steps.
    return {**params.model_dump(), "dual": False, "random_state": seed}


SPEC = EstimatorSpec(
    name="linear_svm",
    title="Linear support vector machine",
    summary="The plane with the widest margin between classes; it has scores, no probabilities.",
    reference="Fan et al. (2008), Journal of Machine Learning Research 9",
    Params=LinearSvmParams,
    classes={
        "binary": "sklearn.svm:LinearSVC",
        "multiclass": "sklearn.svm:LinearSVC",
    },
    arguments=_arguments,
    scale=True,
    presets={"fast": {"max_iter": 200}, "balanced": {}, "accurate": {"max_iter": 20_000}},
    has_coefficients=True,
)
