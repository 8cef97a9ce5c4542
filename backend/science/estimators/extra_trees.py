"""Extra trees."""

from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class ExtraTreesParams(Params):
    """Parameters of extra trees."""

    n_estimators: int = Field(
        100, ge=1, le=2_000, title="Trees", description="More trees are steadier and slower"
    )
    max_depth: int | None = Field(
        None,
        ge=1,
        le=100,
        title="Depth",
        description="Deepest level of a tree; empty for no limit",
        json_schema_extra=search_values(4, 8, 16, None),
    )
    min_samples_leaf: int = Field(
        1,
        ge=1,
        le=10_000,
        title="Rows in a leaf",
        description="Larger leaves smooth more",
        json_schema_extra=search_range(1, 30, log=True),
    )
    max_features: Literal["sqrt", "log2", "all"] | None = Field(
        None,
        title="Features tried per split",
        description="Empty: all for regression, the square root for classes",
        json_schema_extra=search_values("sqrt", "log2", "all"),
    )


def _arguments(params: ExtraTreesParams, task: Task, seed: int) -> dict[str, Any]:
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
    name="extra_trees",
    title="Extra trees",
    summary="Averages many decision trees whose splits are drawn at random; faster, smoother.",
    reference="Geurts, Ernst, Wehenkel (2006), Machine Learning 63(1)",
    Params=ExtraTreesParams,
    classes={
        "regression": "sklearn.ensemble:ExtraTreesRegressor",
        "binary": "sklearn.ensemble:ExtraTreesClassifier",
        "multiclass": "sklearn.ensemble:ExtraTreesClassifier",
    },
    arguments=_arguments,
    grows="n_estimators",
    presets={
        "fast": {"n_estimators": 30, "min_samples_leaf": 3},
        "balanced": {},
        "accurate": {"n_estimators": 500},
    },
)
