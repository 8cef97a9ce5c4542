"""A network over images as a folder in MLflow's format: weights, and the code that runs them."""

import pkgutil
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

_NETWORK: Final = "backend.science.images.network"
# Its name beside the model, which needs nothing else of this project.
_SHIPPED: Final = "goodfit_network"
_PINNED: Final = ("torch", "numpy")


def save_network(classifier: Any, path: Path, description: Model) -> None:
    """Write an image classifier to `path`, for `mlflow.pyfunc`."""
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        data = folder / "network"
        data.mkdir()
        classifier.write(data)
        code = folder / f"{_SHIPPED}.py"
        shutil.copyfile(pkgutil.resolve_name(_NETWORK).__file__, code)
        # Loaded by `model_folder`, which keeps its warnings down.
        save = pkgutil.resolve_name("mlflow.pyfunc:save_model")
        with warnings.catch_warnings():
            # The signature is told; MLflow would need an example to infer it.
            warnings.filterwarnings("ignore", message=".*input example was not provided")
            save(
                str(path),
                loader_module=_SHIPPED,
                data_path=str(data),
                code_paths=[str(code)],
                mlflow_model=description,
                signature=_signature(classifier.architecture_),
                pip_requirements=_requirements(),
            )


def _signature(architecture: Mapping[str, Any]) -> ModelSignature:
    shape = (-1, *(architecture[side] for side in ("height", "width", "channels")))
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), shape)]),
        outputs=Schema([TensorSpec(np.dtype(np.str_), (-1,))]),
    )


def _requirements() -> list[str]:
    """Without the local part of a version ("+cpu"), which no index knows."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in _PINNED]
