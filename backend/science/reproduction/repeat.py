"""The program of a reproduction: a fit run again in its own process, and compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.science.reporting import Report
from backend.science.reproduction.differences import (
    compare_coefficients,
    compare_environments,
    compare_outcomes,
    compare_predictions,
)
from backend.science.run import run_request


def repeat_request(request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Run a fit once more and say what came out otherwise.

    Parameters
    ----------
    request
        `fit`: as `run.run_request` takes it. `outcome`, `environment`: of the first run.
        `holdout`, `coefficients`: paths of the files that it left; they may be missing.
    report
        Told how far it is.

    Returns
    -------
    dict
        `differences`: empty where every number is equal to the last bit; else the environments'
        differences follow, which may be the cause. `environment`: of this run.
    """
    outcome = run_request(request["fit"], report)
    folder = Path(request["fit"]["folder"])
    report(0.98, "Comparing")
    differences = [
        *compare_outcomes(request["outcome"], outcome),
        *compare_predictions(Path(request["holdout"]), folder / "holdout.parquet"),
        *compare_coefficients(Path(request["coefficients"]), folder / "coefficients.json"),
    ]
    environment = outcome["environment"]
    if differences:
        differences += compare_environments(request["environment"], environment)
    return {"differences": differences, "environment": environment}
