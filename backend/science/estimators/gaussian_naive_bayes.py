"""Gaussian naive Bayes."""

from typing import Any

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range
from backend.science.spec import Task


class GaussianNaiveBayesParams(Params):
    """Parameters of Gaussian naive Bayes."""

    var_smoothing: float = Field(
        0.01,
        ge=0,
        le=100,
        title="Smoothing",
        description="Added to each variance, as a share of the largest; rare categories need some",
        json_schema_extra=search_range(1e-9, 1.0, log=True),
    )


def _arguments(params: GaussianNaiveBayesParams, _task: Task, _seed: int) -> dict[str, Any]:
    return params.model_dump()


SPEC = EstimatorSpec(
    name="gaussian_naive_bayes",
    title="Gaussian naive Bayes",
    summary="Treats columns as independent normal variables within each class; very fast.",
    reference="Hand, Yu (2001), International Statistical Review 69(3)",
    Params=GaussianNaiveBayesParams,
    classes={
        "binary": "sklearn.naive_bayes:GaussianNB",
        "multiclass": "sklearn.naive_bayes:GaussianNB",
    },
    arguments=_arguments,
    scale=True,
)
