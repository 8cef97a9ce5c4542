"""What the prediction routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import Field

from backend.core.schemas import Schema, VersionNumber
from backend.registry.schemas import Alias, ModelKind

PREDICTION_ROWS = 10_000


class PredictRequest(Schema):
    """Rows to predict for, each a map from column to value."""

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=PREDICTION_ROWS)]


class ModelPredictRequest(PredictRequest):
    """Rows, and the version that is to answer: by its number or by an alias."""

    alias: Alias | None = None
    version: VersionNumber | None = None


class PredictOut(Schema):
    """One prediction per row, for classes their probabilities, and the version that answered."""

    predictions: list[Any]
    probabilities: list[dict[str, float]] | None = None
    version: int | None = None


class InputOut(Schema):
    """One input of a model; the range and the categories are those of its training rows."""

    name: str
    type: Literal["number", "integer", "boolean", "string", "date", "datetime", "image"]
    numeric: bool
    minimum: float | None = None
    maximum: float | None = None
    categories: list[str] | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None


class OutputOut(Schema):
    """What a model predicts; the classes in the order of their probabilities."""

    name: str
    task: Literal["regression", "binary", "multiclass"]
    classes: list[Any] | None


class SchemaOut(Schema):
    """What a model is asked and what it answers."""

    kind: ModelKind
    inputs: list[InputOut]
    output: OutputOut
    version: int | None = None
