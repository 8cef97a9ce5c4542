"""Multilayer perceptron."""

from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import (
    EstimatorSpec,
    Params,
    search_range,
    search_values,
    standardise_target,
)
from backend.science.spec import Task


class MultilayerPerceptronParams(Params):
    """Parameters of a multilayer perceptron, trained with Adam."""

    layers: int = Field(
        1,
        ge=1,
        le=5,
        title="Layers",
        description="Hidden layers",
        json_schema_extra=search_values(1, 2, 3),
    )
    units: int = Field(
        100,
        ge=1,
        le=1_000,
        title="Units",
        description="Of each hidden layer",
        json_schema_extra=search_values(16, 32, 64, 128, 256),
    )
    activation: Literal["relu", "tanh", "logistic"] = Field(
        "relu",
        title="Activation",
        description="What a unit does with its sum",
        json_schema_extra=search_values("relu", "tanh"),
    )
    alpha: float = Field(
        0.0001,
        ge=0,
        le=1e4,
        title="Penalty",
        description="On the squared weights; larger is smoother",
        json_schema_extra=search_range(1e-6, 1.0, log=True),
    )
    learning_rate: float = Field(
        0.001,
        ge=1e-6,
        le=1,
        title="Learning rate",
        description="Size of the first steps",
        json_schema_extra=search_range(1e-4, 1e-2, log=True),
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        le=10_000,
        title="Batch size",
        description="Rows that are learnt from at a time; empty: 200, or all where there are fewer",
    )
    max_iter: int = Field(
        200, ge=1, le=5_000, title="Epochs", description="How often each row is learnt from at most"
    )
    early_stopping: bool = Field(
        False,
        title="Stop early",
        description="Keep a tenth of the rows aside, and end when they are not predicted better",
    )


def _arguments(params: MultilayerPerceptronParams, _task: Task, seed: int) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": (params.units,) * params.layers,
        "activation": params.activation,
        "alpha": params.alpha,
        "learning_rate_init": params.learning_rate,
        "batch_size": "auto" if params.batch_size is None else params.batch_size,
        "max_iter": params.max_iter,
        "early_stopping": params.early_stopping,
        "random_state": seed,
    }


def _wrap(built: Any, _params: MultilayerPerceptronParams, task: Task) -> Any:
    return standardise_target(built) if task == "regression" else built


SPEC = EstimatorSpec(
    name="multilayer_perceptron",
    title="Multilayer perceptron",
    summary="A small neural network of fully connected layers.",
    reference="Rumelhart, Hinton, Williams (1986), Nature 323; Kingma, Ba (2015), ICLR",
    Params=MultilayerPerceptronParams,
    classes={
        "regression": "sklearn.neural_network:MLPRegressor",
        "binary": "sklearn.neural_network:MLPClassifier",
        "multiclass": "sklearn.neural_network:MLPClassifier",
    },
    arguments=_arguments,
    scale=True,
    presets={
        "fast": {"units": 32, "max_iter": 100},
        "balanced": {},
        "accurate": {"layers": 2, "max_iter": 1_000, "early_stopping": True},
    },
    wrap=_wrap,
)
