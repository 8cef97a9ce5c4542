"""The estimators that can be fitted; discovered, one file each.

Importable without scikit-learn: the API lists estimators and checks parameters with it.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from backend.science import estimators
from backend.science.estimator_spec import EstimatorSpec


def _discover() -> dict[str, EstimatorSpec]:
    found: dict[str, EstimatorSpec] = {}
    for module in pkgutil.iter_modules(estimators.__path__, f"{estimators.__name__}."):
        spec = importlib.import_module(module.name).SPEC
        if spec.name != module.name.rpartition(".")[2]:
            raise ValueError(f"{module.name} holds the estimator {spec.name}")
        found[spec.name] = spec
    return found


ESTIMATORS: Final[Mapping[str, EstimatorSpec]] = MappingProxyType(_discover())
