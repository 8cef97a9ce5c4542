"""The baseline that every fit is compared with: predictions that ignore the features."""

from typing import Any

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task


class DummyBaselineParams(Params):
    """The baseline has no parameters."""


def _arguments(_params: DummyBaselineParams, task: Task, seed: int) -> dict[str, Any]:
    if task == "regression":
        return {"strategy": "mean"}
    return {"strategy": "prior", "random_state": seed}


SPEC = EstimatorSpec(
    name="dummy_baseline",
    title="Baseline",
    summary="Predicts the mean, or the most frequent class. Every other fit should beat it.",
    reference="scikit-learn user guide, dummy estimators",
    Params=DummyBaselineParams,
    classes={
        "regression": "sklearn.dummy:DummyRegressor",
        "binary": "sklearn.dummy:DummyClassifier",
        "multiclass": "sklearn.dummy:DummyClassifier",
    },
    arguments=_arguments,
)
