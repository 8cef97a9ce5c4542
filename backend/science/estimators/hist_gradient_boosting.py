"""Histogram gradient boosting."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class HistGradientBoostingParams(Params):
    """Parameters of histogram gradient boosting."""

    max_iter: int = Field(
        100,
        ge=1,
        le=5_000,
        title="Trees",
        description="Each learns what those before it left; of many classes, one for each class",
        json_schema_extra=search_range(50, 500, log=True),
    )
    learning_rate: float = Field(
        0.1,
        ge=1e-4,
        le=1,
        title="Learning rate",
        description="How much of each tree counts; smaller needs more trees",
        json_schema_extra=search_range(0.01, 0.3, log=True),
    )
    max_leaf_nodes: int = Field(
        31,
        ge=2,
        le=1_000,
        title="Leaves",
        description="Most leaves of a tree",
        json_schema_extra=search_range(7, 127, log=True),
    )
    max_depth: int | None = Field(
        None, ge=1, le=100, title="Depth", description="Deepest level of a tree; empty for no limit"
    )
    min_samples_leaf: int = Field(
        20,
        ge=1,
        le=10_000,
        title="Rows in a leaf",
        description="Larger leaves smooth more",
        json_schema_extra=search_range(5, 100, log=True),
    )
    l2_regularization: float = Field(
        0.0,
        ge=0,
        le=1e6,
        title="Penalty",
        description="On the squared values of the leaves; 0 for none",
        json_schema_extra=search_values(0.0, 0.1, 1.0, 10.0),
    )
    max_features: float = Field(
        1.0,
        ge=0.01,
        le=1,
        title="Share of features per split",
        description="Below 1, splits are made among some of the features, drawn at random",
    )
    early_stopping: bool = Field(
        False,
        title="Stop early",
        description="Keep a tenth of the rows aside, and end when they are not predicted better",
    )


def _arguments(params: HistGradientBoostingParams, _task: Task, seed: int) -> dict[str, Any]:
    return {**params.model_dump(), "random_state": seed}


SPEC = EstimatorSpec(
    name="hist_gradient_boosting",
    title="Histogram gradient boosting",
    summary="Trees that correct each other, on binned columns; often the best on tables.",
    reference="Friedman (2001), The Annals of Statistics 29(5); Ke et al. (2017), NeurIPS 30",
    Params=HistGradientBoostingParams,
    classes={
        "regression": "sklearn.ensemble:HistGradientBoostingRegressor",
        "binary": "sklearn.ensemble:HistGradientBoostingClassifier",
        "multiclass": "sklearn.ensemble:HistGradientBoostingClassifier",
    },
    arguments=_arguments,
    presets={
        "fast": {"max_iter": 50, "learning_rate": 0.2},
        "balanced": {},
        "accurate": {"max_iter": 500, "learning_rate": 0.05},
    },
)
