"""Gaussian process."""

import pkgutil
from typing import Any, Literal

from pydantic import Field

from backend.science.estimator_spec import EstimatorSpec, Params, search_range, search_values
from backend.science.spec import Task


class GaussianProcessParams(Params):
    """Parameters of a Gaussian process; the kernel's own are found by maximum likelihood."""

    kernel: Literal["rbf", "matern", "rational_quadratic"] = Field(
        "rbf",
        title="Kernel",
        description="rbf: very smooth; matern: rougher; rational_quadratic: several scales at once",
        json_schema_extra=search_values("rbf", "matern", "rational_quadratic"),
    )
    length_scale: float = Field(
        1.0,
        ge=1e-3,
        le=1e3,
        title="Length",
        description="Where the search for the kernel's length begins, in standard deviations",
        json_schema_extra=search_range(0.3, 10.0, log=True),
    )
    noise: float = Field(
        0.1,
        ge=1e-8,
        le=100,
        title="Noise",
        description="Where the search for the noise begins, as a share of the target's variance; "
        "regression",
        json_schema_extra=search_range(1e-3, 1.0, log=True),
    )
    restarts: int = Field(
        0, ge=0, le=10, title="Restarts", description="Further searches from points drawn at random"
    )


def _arguments(params: GaussianProcessParams, task: Task, seed: int) -> dict[str, Any]:
    kernels = {
        "rbf": "RBF",
        "matern": "Matern",
        "rational_quadratic": "RationalQuadratic",
        "constant": "ConstantKernel",
        "noise": "WhiteKernel",
    }
    part = {
        name: pkgutil.resolve_name(f"sklearn.gaussian_process.kernels:{kernel}")
        for name, kernel in kernels.items()
    }
    shape = part[params.kernel](length_scale=params.length_scale, length_scale_bounds=(1e-2, 1e3))
    kernel = part["constant"](1.0, (1e-3, 1e6)) * shape
    chosen = {"random_state": seed, "n_restarts_optimizer": params.restarts}
    if task != "regression":
        return {**chosen, "kernel": kernel}
    noise = part["noise"](params.noise, (1e-8, 1e2))
    return {**chosen, "kernel": kernel + noise, "normalize_y": True}


SPEC = EstimatorSpec(
    name="gaussian_process",
    title="Gaussian process",
    summary="A distribution over smooth curves; strong with few rows, too costly for many.",
    reference="Rasmussen, Williams (2006), Gaussian Processes for Machine Learning",
    Params=GaussianProcessParams,
    classes={
        "regression": "sklearn.gaussian_process:GaussianProcessRegressor",
        "binary": "sklearn.gaussian_process:GaussianProcessClassifier",
        "multiclass": "sklearn.gaussian_process:GaussianProcessClassifier",
    },
    arguments=_arguments,
    scale=True,
    presets={"fast": {}, "balanced": {}, "accurate": {"kernel": "matern", "restarts": 2}},
    takes_weights=False,
    most_rows=2_000,
)
