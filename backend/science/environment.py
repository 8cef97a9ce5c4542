"""What a fit ran on: another machine or another library version may give other numbers."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from backend.science.estimator_spec import EstimatorSpec
from backend.science.extras import MODULES, installed_versions

LIBRARIES: Final = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "statsmodels",
    "joblib",
    "threadpoolctl",
)
OF_SEARCH: Final = ("optuna",)


def describe_environment(estimator: EstimatorSpec, *, searched: bool = False) -> dict[str, Any]:
    """Python, platform and versions of the libraries that a fit's numbers come from.

    Parameters
    ----------
    estimator
        What was fitted; the libraries of its extra count too.
    searched
        Whether parameters were searched for.
    """
    names = (*LIBRARIES, *(OF_SEARCH if searched else ()))
    told = {name: found for name in names if (found := _version(name)) is not None}
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.system(),
        "release": _release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "libraries": {**told, **installed_versions(_extras(estimator))},
    }


def _extras(estimator: EstimatorSpec) -> tuple[str, ...]:
    """Of the estimator's extra the packages that it stands in, else all."""
    if estimator.requires is None:
        return ()
    modules = MODULES[estimator.requires]
    roots = {path.partition(":")[0].partition(".")[0] for path in estimator.classes.values()}
    return tuple(module for module in modules if module in roots) or modules


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _release() -> str:
    return platform.release()
