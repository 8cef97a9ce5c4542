"""Ridge: least squares with a penalty on the size of the coefficients."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task


class RidgeParams(Params):
    """Parameters of ridge."""

    alpha: float = Field(
        1.0, ge=0, le=1e9, title="Penalty", description="0 is least squares; larger shrinks more"
    )
    fit_intercept: bool = Field(True, title="Intercept", description="Fit a constant term")


def _arguments(params: RidgeParams, _task: Task, seed: int) -> dict[str, Any]:
    return {"alpha": params.alpha, "fit_intercept": params.fit_intercept, "random_state": seed}


SPEC = EstimatorSpec(
    name="ridge",
    title="Ridge",
    summary="A linear model whose coefficients are shrunk towards zero; steady when columns agree.",
    reference="Hoerl, Kennard (1970), Technometrics 12(1)",
    Params=RidgeParams,
    classes={
        "regression": "sklearn.linear_model:Ridge",
        "binary": "sklearn.linear_model:RidgeClassifier",
        "multiclass": "sklearn.linear_model:RidgeClassifier",
    },
    arguments=_arguments,
    scale=True,
)
