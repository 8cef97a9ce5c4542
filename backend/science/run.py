"""The program of one fit in its own process: a table and a spec in, files and a summary out.

Importing this module imports everything heavy, so that a fork server can hold it ready. It must
not start threads; polars stays out, because its threads do not survive a fork.
"""

import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import joblib
import pandas as pd
import pyarrow.parquet as pq
import sklearn.dummy
import sklearn.ensemble
import sklearn.linear_model
import sklearn.neighbors

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import ColumnDescription
from backend.science.fit import NO_ROWS, FitResult, OnProgress, describe_inputs, fit
from backend.science.holdout import HoldoutPredictions
from backend.science.plots.catalogue import PLOTS
from backend.science.plots.numbers import PlotInputs, PlotNumbers
from backend.science.spec import FitSpec
from backend.science.trends import smooth
from backend.science.withheld import withheld_rows

# Named so that the imports above, which only warm the process, count as used.
WARMED: Final = (sklearn.dummy, sklearn.ensemble, sklearn.linear_model, sklearn.neighbors)
COMPRESSION: Final = 1
Fit = Callable[..., FitResult]
# Not in the fork server: PyTorch starts threads, and most fits do without.
IMAGE_FIT: Final = "backend.science.images.fit:fit_images"


def run_request(request: Mapping[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run one fit.

    Parameters
    ----------
    request
        `spec`: a FitSpec as JSON. `columns`: the ColumnDescriptions of the table as JSON.
        `table`: path of the Parquet file. `folder`: path of an empty folder. Optionally
        `withheld`: rows that must not be learnt from, as `withheld.withheld_rows` takes them.
    on_progress
        Called with a fraction from 0 to 1 and a text.

    Returns
    -------
    dict
        The summary as JSON. The folder then holds `model.joblib` and, where there is a hold-out,
        `holdout.parquet` and `plots.json`, for linear estimators `coefficients.json`, and always
        `input_example.json`.
    """
    spec = FitSpec.model_validate(request["spec"])
    columns = [ColumnDescription(**column) for column in request["columns"]]
    folder = Path(request["folder"])
    table = pq.read_table(request["table"], use_threads=False)
    held = request.get("withheld")
    withheld = NO_ROWS if held is None else withheld_rows(table, columns, held)
    kind = ESTIMATORS[spec.estimator].data
    learn: Fit = fit if kind == "table" else pkgutil.resolve_name(IMAGE_FIT)
    result = learn(spec, table, columns, on_progress=on_progress, withheld=withheld)
    on_progress(0.95, "Saving")
    joblib.dump(result.pipeline, folder / "model.joblib", compress=COMPRESSION)
    example = json.loads(result.example.to_json(orient="records"))
    (folder / "input_example.json").write_text(json.dumps(example))
    if result.coefficients is not None:
        told = json.dumps(result.coefficients.told(), allow_nan=False)
        (folder / "coefficients.json").write_text(told)
    plots: list[PlotNumbers] = []
    if result.holdout is not None:
        _save_holdout(result.holdout, result, folder / "holdout.parquet")
        inputs = _plot_inputs(result, result.holdout, spec.target)
        plots = [plot.compute(inputs) for plot in PLOTS.values() if result.task in plot.tasks]
        by_kind = {plot.kind: asdict(plot) for plot in plots}
        (folder / "plots.json").write_text(json.dumps(by_kind, allow_nan=False))
    return _summary(result, spec, plots)


def _summary(result: FitResult, spec: FitSpec, plots: list[PlotNumbers]) -> dict[str, Any]:
    return {
        "task": result.task,
        "features": [column.name for column in result.inputs],
        "excluded": result.excluded,
        "metrics": result.metrics,
        "baseline_metrics": result.baseline_metrics,
        "warnings": result.warnings,
        "rows_used": result.rows_used,
        "rows_holdout": 0 if result.holdout is None else len(result.holdout.rows),
        "rows_dropped": result.rows_dropped,
        "rows_withheld": result.rows_withheld,
        "input_columns": describe_inputs(result.inputs),
        "output": {"name": spec.target, "task": result.task, "classes": result.classes},
        "plots": [
            {"kind": plot.kind, "title": plot.title, "verdict": plot.verdict} for plot in plots
        ],
    }


def _plot_inputs(result: FitResult, holdout: HoldoutPredictions, target: str) -> PlotInputs:
    classes = result.classes
    if classes is not None:
        # A rare class may stand in the hold-out alone.
        classes = sorted({*classes, *holdout.observed.tolist()})
    return PlotInputs(
        task=result.task,
        target=target,
        rows=holdout.rows,
        observed=holdout.observed,
        predicted=holdout.predicted,
        classes=classes,
        smooth=smooth,
    )


def _save_holdout(holdout: HoldoutPredictions, result: FitResult, path: Path) -> None:
    data: dict[str, Any] = {
        "row": holdout.rows,
        "observed": holdout.observed,
        "predicted": holdout.predicted,
    }
    if result.classes is None:
        data["residual"] = holdout.observed - holdout.predicted
    if holdout.probabilities is not None and result.classes is not None:
        for index, name in enumerate(result.classes):
            data[f"probability:{name}"] = holdout.probabilities[:, index]
    pd.DataFrame(data).to_parquet(path, index=False)
