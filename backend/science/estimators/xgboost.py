"""XGBoost."""

import pkgutil
from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class XgboostParams(Params):
    """Parameters of XGBoost."""

    n_estimators: int = Field(
        100,
        ge=1,
        le=5_000,
        title="Trees",
        description="Each learns what those before it left; of many classes, one for each class",
        json_schema_extra=search_range(50, 500, log=True),
    )
    learning_rate: float = Field(
        0.3,
        ge=1e-4,
        le=1,
        title="Learning rate",
        description="How much of each tree counts; smaller needs more trees",
        json_schema_extra=search_range(0.01, 0.5, log=True),
    )
    max_depth: int = Field(
        6,
        ge=1,
        le=20,
        title="Depth",
        description="Deepest level of a tree",
        json_schema_extra=search_range(2, 10),
    )
    min_child_weight: float = Field(
        1.0,
        ge=0,
        le=1e6,
        title="Weight of a leaf",
        description="Least sum of second derivatives in a leaf; larger smooths more",
        json_schema_extra=search_range(1.0, 30.0, log=True),
    )
    subsample: float = Field(
        1.0,
        ge=0.01,
        le=1,
        title="Share of rows",
        description="Drawn at random for each tree",
        json_schema_extra=search_range(0.5, 1.0),
    )
    colsample_bytree: float = Field(
        1.0,
        ge=0.01,
        le=1,
        title="Share of features",
        description="Drawn at random for each tree",
        json_schema_extra=search_range(0.5, 1.0),
    )
    reg_lambda: float = Field(
        1.0,
        ge=0,
        le=1e6,
        title="Penalty",
        description="On the squared values of the leaves",
        json_schema_extra=search_values(0.0, 1.0, 10.0),
    )


def _arguments(params: XgboostParams, _task: Task, seed: int) -> dict[str, Any]:
    return {**params.model_dump(), "random_state": seed, "n_jobs": 1, "tree_method": "hist"}


def _wrap(built: Any, _params: XgboostParams, task: Task) -> Any:
    """XGBoost wants classes 0, 1, ...; an ensemble of this one member numbers them."""
    if task == "regression":
        return built
    voting = pkgutil.resolve_name("sklearn.ensemble:VotingClassifier")
    return voting([("xgboost", built)], voting="soft")


SPEC = EstimatorSpec(
    name="xgboost",
    title="XGBoost",
    summary="Gradient boosting with second derivatives and penalised trees.",
    reference="Chen, Guestrin (2016), KDD '16",
    Params=XgboostParams,
    classes={
        "regression": "xgboost:XGBRegressor",
        "binary": "xgboost:XGBClassifier",
        "multiclass": "xgboost:XGBClassifier",
    },
    arguments=_arguments,
    requires="boosting",
    presets={
        "fast": {"n_estimators": 50, "max_depth": 4},
        "balanced": {},
        "accurate": {"n_estimators": 500, "learning_rate": 0.05, "subsample": 0.8},
    },
    wrap=_wrap,
)
