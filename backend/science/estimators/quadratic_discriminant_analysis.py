"""Quadratic discriminant analysis."""

from collections import Counter
from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.refusal import FitRefused
from backend.science.spec import Task


class QuadraticDiscriminantAnalysisParams(Params):
    """Parameters of quadratic discriminant analysis."""

    reg_param: float = Field(
        0.1,
        ge=1e-6,
        le=1,
        title="Regularisation",
        description="Of each class's covariance towards a round one; categories need some",
        json_schema_extra=search_range(1e-4, 1.0, log=True),
    )


def _arguments(
    params: QuadraticDiscriminantAnalysisParams, _task: Task, _seed: int
) -> dict[str, Any]:
    return params.model_dump()


def _check_target(_params: QuadraticDiscriminantAnalysisParams, _task: Task, target: Any) -> None:
    alone = [str(name) for name, count in Counter(target.tolist()).items() if count == 1]
    if alone:
        raise FitRefused(
            "Quadratic discriminant analysis needs two rows of each class to learn from; there is "
            f"only one of {', '.join(sorted(alone))}."
        )


SPEC = EstimatorSpec(
    name="quadratic_discriminant_analysis",
    title="Quadratic discriminant analysis",
    summary="Classes as normal clouds, each with a shape of its own; the borders are curved.",
    reference="Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 4.3",
    Params=QuadraticDiscriminantAnalysisParams,
    classes={
        "binary": "sklearn.discriminant_analysis:QuadraticDiscriminantAnalysis",
        "multiclass": "sklearn.discriminant_analysis:QuadraticDiscriminantAnalysis",
    },
    arguments=_arguments,
    scale=True,
    takes_weights=False,
    check_target=_check_target,
)
