"""Decision tree."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class DecisionTreeParams(Params):
    """Parameters of a decision tree."""

    max_depth: int | None = Field(
        None,
        ge=1,
        le=100,
        title="Depth",
        description="Deepest level of the tree; empty for no limit",
        json_schema_extra=search_values(2, 4, 8, 16, None),
    )
    min_samples_leaf: int = Field(
        1,
        ge=1,
        le=10_000,
        title="Rows in a leaf",
        description="Larger leaves smooth more",
        json_schema_extra=search_range(1, 100, log=True),
    )
    min_samples_split: int = Field(
        2, ge=2, le=10_000, title="Rows to split", description="Fewer rows are not split further"
    )
    max_leaf_nodes: int | None = Field(
        None, ge=2, le=100_000, title="Leaves", description="Most leaves; empty for no limit"
    )
    ccp_alpha: float = Field(
        0.0,
        ge=0,
        le=1e9,
        title="Pruning",
        description="Splits that gain less than this are cut off again; 0 for none",
    )


def _arguments(params: DecisionTreeParams, _task: Task, seed: int) -> dict[str, Any]:
    return {**params.model_dump(), "random_state": seed}


SPEC = EstimatorSpec(
    name="decision_tree",
    title="Decision tree",
    summary="Questions about one column at a time; easy to read, seldom the best.",
    reference="Breiman, Friedman, Olshen, Stone (1984), Classification and Regression Trees",
    Params=DecisionTreeParams,
    classes={
        "regression": "sklearn.tree:DecisionTreeRegressor",
        "binary": "sklearn.tree:DecisionTreeClassifier",
        "multiclass": "sklearn.tree:DecisionTreeClassifier",
    },
    arguments=_arguments,
    presets={
        "fast": {"max_depth": 4},
        "balanced": {},
        "accurate": {"min_samples_leaf": 5},
    },
)
