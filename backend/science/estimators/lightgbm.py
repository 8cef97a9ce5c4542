"""LightGBM."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class LightgbmParams(Params):
    """Parameters of LightGBM."""

    n_estimators: int = Field(
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
    num_leaves: int = Field(
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
    min_child_samples: int = Field(
        20,
        ge=1,
        le=10_000,
        title="Rows in a leaf",
        description="Larger leaves smooth more",
        json_schema_extra=search_range(5, 100, log=True),
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
        0.0,
        ge=0,
        le=1e6,
        title="Penalty",
        description="On the squared values of the leaves; 0 for none",
        json_schema_extra=search_values(0.0, 1.0, 10.0),
    )


def _arguments(params: LightgbmParams, _task: Task, seed: int) -> dict[str, Any]:
    chosen = params.model_dump()
    return {
        **chosen,
        "max_depth": -1 if params.max_depth is None else params.max_depth,
        # Without it the share of rows has no effect.
        "subsample_freq": 1 if params.subsample < 1 else 0,
        "random_state": seed,
        "n_jobs": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }


SPEC = EstimatorSpec(
    name="lightgbm",
    title="LightGBM",
    summary="Gradient boosting that grows the leaf which gains most; fast on many rows.",
    reference="Ke et al. (2017), Advances in Neural Information Processing Systems 30",
    Params=LightgbmParams,
    classes={
        "regression": "lightgbm:LGBMRegressor",
        "binary": "lightgbm:LGBMClassifier",
        "multiclass": "lightgbm:LGBMClassifier",
    },
    arguments=_arguments,
    requires="boosting",
    presets={
        "fast": {"n_estimators": 50, "num_leaves": 15},
        "balanced": {},
        "accurate": {"n_estimators": 500, "learning_rate": 0.05, "subsample": 0.8},
    },
)
