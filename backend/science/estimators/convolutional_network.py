"""Convolutional network."""

from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params
from backend.science.spec import Task

FILTERS = {"small": 16, "medium": 32, "large": 64}


class ConvolutionalNetworkParams(Params):
    """Parameters of a convolutional network."""

    epochs: int = Field(
        10, ge=1, le=200, title="Epochs", description="How often each image is learnt from"
    )
    learning_rate: float = Field(
        0.003, ge=1e-5, le=0.1, title="Learning rate", description="The largest of the one cycle"
    )
    batch_size: int = Field(
        32, ge=8, le=1_024, title="Batch size", description="Images that are learnt from at a time"
    )
    size: Literal["small", "medium", "large"] = Field(
        "medium", title="Size", description="Filters of the first layer: 16, 32 or 64"
    )
    dropout: float = Field(
        0.25, ge=0, le=0.9, title="Dropout", description="Share of features left out while learning"
    )
    shift: int = Field(
        2, ge=0, le=16, title="Shift", description="Images are moved by up to so many pixels"
    )


def _arguments(params: ConvolutionalNetworkParams, _task: Task, seed: int) -> dict[str, Any]:
    return {
        "epochs": params.epochs,
        "learning_rate": params.learning_rate,
        "batch_size": params.batch_size,
        "filters": FILTERS[params.size],
        "dropout": params.dropout,
        "shift": params.shift,
        "seed": seed,
    }


SPEC = EstimatorSpec(
    name="convolutional_network",
    title="Convolutional network",
    summary="Learns small filters that find edges, then shapes, then classes of images.",
    reference="LeCun et al. (1998), Proceedings of the IEEE 86(11)",
    Params=ConvolutionalNetworkParams,
    classes={
        "binary": "backend.science.images.classifier:ImageClassifier",
        "multiclass": "backend.science.images.classifier:ImageClassifier",
    },
    arguments=_arguments,
    data="image",
    requires="torch",
)
