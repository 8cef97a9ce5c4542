"""Linear discriminant analysis."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class LinearDiscriminantAnalysisParams(Params):
    """Parameters of linear discriminant analysis."""

    shrinkage: float | None = Field(
        None,
        ge=0,
        le=1,
        title="Shrinkage",
        description="Of the covariance towards a diagonal one; empty for none",
        json_schema_extra=search_range(0.0, 1.0),
    )


def _arguments(params: LinearDiscriminantAnalysisParams, _task: Task, _seed: int) -> dict[str, Any]:
    solver = "svd" if params.shrinkage is None else "lsqr"
    return {"solver": solver, "shrinkage": params.shrinkage}


SPEC = EstimatorSpec(
    name="linear_discriminant_analysis",
    title="Linear discriminant analysis",
    summary="Classes as normal clouds of one shape; the borders between them are planes.",
    reference="Fisher (1936), Annals of Eugenics 7(2)",
    Params=LinearDiscriminantAnalysisParams,
    classes={
        "binary": "sklearn.discriminant_analysis:LinearDiscriminantAnalysis",
        "multiclass": "sklearn.discriminant_analysis:LinearDiscriminantAnalysis",
    },
    arguments=_arguments,
    scale=True,
    takes_weights=False,
    has_coefficients=True,
)
