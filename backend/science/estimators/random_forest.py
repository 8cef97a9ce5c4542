"""Random forest."""

from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task


class RandomForestParams(Params):
    """Parameters of a random forest."""

    n_estimators: int = Field(
        100, ge=1, le=2_000, title="Trees", description="More trees are steadier and slower"
    )
    max_depth: int | None = Field(
        None, ge=1, le=100, title="Depth", description="Deepest level of a tree; empty for no limit"
    )
    min_samples_leaf: int = Field(
        1, ge=1, le=10_000, title="Rows in a leaf", description="Larger leaves smooth more"
    )
    max_features: Literal["sqrt", "log2", "all"] | None = Field(
        None,
        title="Features tried per split",
        description="Empty: all for regression, the square root for classes",
    )


def _arguments(params: RandomForestParams, task: Task, seed: int) -> dict[str, Any]:
    usual: float | str = 1.0 if task == "regression" else "sqrt"
    chosen = {"all": 1.0, None: usual}.get(params.max_features, params.max_features)
    return {
        "n_estimators": params.n_estimators,
        "max_depth": params.max_depth,
        "min_samples_leaf": params.min_samples_leaf,
        "max_features": chosen,
        "random_state": seed,
    }


SPEC = EstimatorSpec(
    name="random_forest",
    title="Random forest",
    summary="Averages many decision trees, each grown on a random part of rows and columns.",
    reference="Breiman (2001), Machine Learning 45(1)",
    Params=RandomForestParams,
    classes={
        "regression": "sklearn.ensemble:RandomForestRegressor",
        "binary": "sklearn.ensemble:RandomForestClassifier",
        "multiclass": "sklearn.ensemble:RandomForestClassifier",
    },
    arguments=_arguments,
    grows="n_estimators",
)
