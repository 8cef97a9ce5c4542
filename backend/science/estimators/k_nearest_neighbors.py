"""k-nearest neighbours."""

from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task


class KNearestNeighborsParams(Params):
    """Parameters of k-nearest neighbours."""

    n_neighbors: int = Field(
        5, ge=1, le=1_000, title="Neighbours", description="More neighbours smooth more"
    )
    weights: Literal["uniform", "distance"] = Field(
        "uniform", title="Weights", description="Whether nearer neighbours count more"
    )
    p: Literal[1, 2] = Field(
        2, title="Distance", description="1: sum of differences, 2: straight line"
    )


def _arguments(params: KNearestNeighborsParams, _task: Task, _seed: int) -> dict[str, Any]:
    return params.model_dump()


SPEC = EstimatorSpec(
    name="k_nearest_neighbors",
    title="k-nearest neighbours",
    summary="Predicts what the most similar rows had; columns are scaled so that all count alike.",
    reference="Cover, Hart (1967), IEEE Transactions on Information Theory 13(1)",
    Params=KNearestNeighborsParams,
    classes={
        "regression": "sklearn.neighbors:KNeighborsRegressor",
        "binary": "sklearn.neighbors:KNeighborsClassifier",
        "multiclass": "sklearn.neighbors:KNeighborsClassifier",
    },
    arguments=_arguments,
    scale=True,
)
