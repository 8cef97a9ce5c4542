"""Support vector machine with a kernel."""

import pkgutil
from collections import Counter
from typing import Any, Final, Literal

from pydantic import Field

from backend.science.estimator_spec import (
    EstimatorSpec,
    Params,
    search_range,
    search_values,
    standardise_target,
)
from backend.science.refusal import FitRefused
from backend.science.spec import Task

# Parts of the rows that take turns in learning how scores become probabilities.
CALIBRATION_FOLDS: Final = 3


class SvmParams(Params):
    """Parameters of a support vector machine."""

    C: float = Field(
        1.0,
        ge=1e-6,
        le=1e6,
        title="Cost",
        description="Of rows on the wrong side, or outside the tube; smaller is smoother",
        json_schema_extra=search_range(1e-2, 1e3, log=True),
    )
    kernel: Literal["rbf", "poly", "sigmoid"] = Field(
        "rbf",
        title="Kernel",
        description="Which rows are alike: rbf by their distance, poly by products of columns",
        json_schema_extra=search_values("rbf", "poly"),
    )
    gamma: float | None = Field(
        None,
        ge=1e-9,
        le=1e6,
        title="Gamma",
        description="Reach of a row, larger is shorter; empty: one over the number of columns",
        json_schema_extra=search_range(1e-4, 10.0, log=True),
    )
    degree: int = Field(3, ge=2, le=8, title="Degree", description="Of the kernel poly")
    epsilon: float = Field(
        0.1,
        ge=0,
        le=10,
        title="Tube",
        description="Errors below it are free, in standard deviations of the target; regression",
        json_schema_extra=search_range(0.01, 0.5, log=True),
    )
    probabilities: bool = Field(
        True,
        title="Probabilities",
        description="Learn them by cross-validation, which doubles the time; classes",
    )


def _arguments(params: SvmParams, task: Task, _seed: int) -> dict[str, Any]:
    chosen = {
        "C": params.C,
        "kernel": params.kernel,
        "gamma": "scale" if params.gamma is None else params.gamma,
        "degree": params.degree,
        "cache_size": 200,
    }
    return {**chosen, "epsilon": params.epsilon} if task == "regression" else chosen


def _wrap(built: Any, params: SvmParams, task: Task) -> Any:
    if task == "regression":
        return standardise_target(built)
    if not params.probabilities:
        return built
    # Platt's sigmoid on folds in the order of the rows: nothing is drawn at random.
    calibrated = pkgutil.resolve_name("sklearn.calibration:CalibratedClassifierCV")
    return calibrated(built, method="sigmoid", cv=CALIBRATION_FOLDS, ensemble=False)


def _check_target(params: SvmParams, task: Task, target: Any) -> None:
    if task == "regression" or not params.probabilities:
        return
    rare = [str(c) for c, count in Counter(target.tolist()).items() if count < CALIBRATION_FOLDS]
    if rare:
        raise FitRefused(
            f"Probabilities of a support vector machine need {CALIBRATION_FOLDS} rows of each "
            f"class to learn from; there are fewer of {', '.join(sorted(rare))}. Switch the "
            "parameter probabilities off, or leave these rows out."
        )


SPEC = EstimatorSpec(
    name="svm",
    title="Support vector machine",
    summary="A smooth border or curve held by the rows next to it; for some thousand rows.",
    reference="Cortes, Vapnik (1995), Machine Learning 20(3); Platt (1999), Advances in Large "
    "Margin Classifiers",
    Params=SvmParams,
    classes={
        "regression": "sklearn.svm:SVR",
        "binary": "sklearn.svm:SVC",
        "multiclass": "sklearn.svm:SVC",
    },
    arguments=_arguments,
    scale=True,
    presets={"fast": {"probabilities": False}, "balanced": {}, "accurate": {"C": 10.0}},
    most_rows=20_000,
    wrap=_wrap,
    check_target=_check_target,
)
