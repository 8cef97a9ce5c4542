"""A fitted pipeline as a folder in MLflow's format; everything is told, nothing is inferred."""

import hashlib
import logging
import pkgutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType

from backend.tracking.network_folder import save_network
from backend.tracking.port import FitRecord, TrackerError

with warnings.catch_warnings():
    # `save_model` would load it, and its modules warn about each other while they are loaded.
    warnings.simplefilter("ignore")
    pkgutil.resolve_name("mlflow.pyfunc")

_PINNED: Final = ("scikit-learn", "pandas", "numpy", "scipy", "joblib", "cloudpickle")
# Declared as double, MLflow would refuse a column of whole numbers, which pandas makes of 195.
_NUMBER: Final = AnyType()  # type: ignore[no-untyped-call]  # MLflow's
_CHUNK_BYTES: Final = 1 << 20
# A table's column types in MLflow's words.
DATASET_TYPES: Final[Mapping[str, DataType]] = {
    "number": DataType.double,
    "integer": DataType.long,
    "boolean": DataType.boolean,
    "date": DataType.datetime,
    "datetime": DataType.datetime,
    "string": DataType.string,
    "image": DataType.binary,
}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A saved model that does not know its run yet."""

    path: Path
    description: Model

    def link(self, run_id: str, model_id: str, location: str) -> None:
        """Write the run and the model's entry into the folder's description."""
        self.description.run_id = run_id
        self.description.model_id = model_id
        self.description.artifact_path = location
        self.description.save(str(self.path / "MLmodel"))


def save_model(record: FitRecord, path: Path) -> ModelFolder:
    """Write the record's model to `path`, for `mlflow.pyfunc` and tables also `mlflow.sklearn`.

    Raises
    ------
    TrackerError
        The file is not the one that the fit made.
    """
    pipeline = _load(record)
    description = Model()
    if record.takes_images:
        save_network(pipeline, path, description)
        return ModelFolder(path, description)
    # It warns against pickles from strangers at each call; this one is our own, checked above.
    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # MLflow compares column names with a range, which pandas will understand differently.
        warnings.filterwarnings("ignore", message="Operation with range is deprecated")
        mlflow.sklearn.save_model(
            pipeline,
            str(path),
            mlflow_model=description,
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
            signature=_signature(record),
            input_example=_example(record),
            pip_requirements=list(requirements()),
        )
    return ModelFolder(path, description)


def _load(record: FitRecord) -> Any:
    digest = hashlib.sha256()
    with Path(record.model_path).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
        if digest.hexdigest() != record.model_sha256:
            raise TrackerError(f"the model of fit {record.fit_id} has another sha256")
        file.seek(0)
        return joblib.load(file)


@cache
def requirements() -> tuple[str, ...]:
    """What loads the pipeline again, pinned to the versions that are installed here."""
    return tuple(f"{name}=={version(name)}" for name in _PINNED)


def _signature(record: FitRecord) -> ModelSignature:
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(_NUMBER if column.numeric else DataType.string, column.name)
        for column in record.input_columns
    ]
    output = ColSpec(_output_type(record.output.classes), record.output.name)
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([output]))


def _output_type(classes: Sequence[Any] | None) -> DataType:
    if classes is None:
        return DataType.double
    for kind, type_ in ((bool, DataType.boolean), (int, DataType.long), (float, DataType.double)):
        if all(isinstance(value, kind) for value in classes):
            return type_
    return DataType.string


def _example(record: FitRecord) -> pd.DataFrame | None:
    if not record.input_example:
        return None
    frame = pd.DataFrame(
        record.input_example, columns=[column.name for column in record.input_columns]
    )
    return frame.astype(
        {column.name: "float64" if column.numeric else "object" for column in record.input_columns}
    )
