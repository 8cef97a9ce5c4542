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
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn.dummy
import sklearn.ensemble
import sklearn.linear_model
import sklearn.neighbors

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import ColumnDescription
from backend.science.environment import describe_environment
from backend.science.fit import NO_ROWS, FitResult, counted, describe_inputs, fit, tell
from backend.science.holdout import HoldoutPredictions
from backend.science.metrics import METRICS
from backend.science.plots.catalogue import PLOTS
from backend.science.plots.numbers import PlotInputs, PlotNumbers
from backend.science.reporting import Report
from backend.science.reproduction.script import Fitted, write_script
from backend.science.spec import FitSpec
from backend.science.split_files import save_split
from backend.science.trends import smooth
from backend.science.withheld import withheld_rows

# Named so that the imports above, which only warm the process, count as used.
WARMED: Final = (sklearn.dummy, sklearn.ensemble, sklearn.linear_model, sklearn.neighbors)
COMPRESSION: Final = 1
Fit = Callable[..., FitResult]
# Not in the fork server: PyTorch starts threads, and most fits do without.
IMAGE_FIT: Final = "backend.science.images.fit:fit_images"


def run_request(request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Run one fit.

    Parameters
    ----------
    request
        `spec`: a FitSpec as JSON. `columns`: the ColumnDescriptions of the table as JSON.
        `table`: path of the Parquet file. `folder`: path of an empty folder. Optionally
        `withheld`: rows that must not be learnt from, as `withheld.withheld_rows` takes them;
        `split`: path of another fit's split, for `same_rows`.
    report
        Told of the progress, the steps and the scores of each fold.

    Returns
    -------
    dict
        The summary as JSON. The folder then holds `model.joblib` and, where there is a hold-out,
        `holdout.parquet`, `split.parquet` and `plots.json`, for linear estimators
        `coefficients.json`, for tables `script.py`, and always `input_example.json`.
    """
    spec = FitSpec.model_validate(request["spec"])
    columns = [ColumnDescription(**column) for column in request["columns"]]
    folder = Path(request["folder"])
    table = pq.read_table(request["table"], use_threads=False)
    tell(report, f"Read {table.num_rows:,} rows of {counted(table.num_columns, 'column')}")
    held, split = request.get("withheld"), request.get("split")
    withheld = NO_ROWS if held is None else withheld_rows(table, columns, held)
    kind = ESTIMATORS[spec.estimator].data
    learn: Fit = fit if kind == "table" else pkgutil.resolve_name(IMAGE_FIT)
    result = learn(
        spec,
        table,
        columns,
        report=report,
        withheld=withheld,
        stored_split=None if split is None else Path(split),
    )
    report(0.95, "Saving")
    plots = _save(result, spec, folder)
    outcome = _summary(result, spec, plots)
    if result.chosen:
        fitted = Fitted(spec, result, withheld, outcome["environment"])
        write_script(fitted, folder / "script.py")
    return outcome


def _save(result: FitResult, spec: FitSpec, folder: Path) -> list[PlotNumbers]:
    """Leave all files."""
    joblib.dump(result.pipeline, folder / "model.joblib", compress=COMPRESSION)
    example = json.loads(result.example.to_json(orient="records"))
    (folder / "input_example.json").write_text(json.dumps(example))
    if result.coefficients is not None:
        told = json.dumps(result.coefficients.told(), allow_nan=False)
        (folder / "coefficients.json").write_text(told)
    holdout = result.validated.holdout
    if holdout is None:
        return []
    _save_holdout(holdout, result, folder / "holdout.parquet")
    save_split(result.split, result.target.rows, folder / "split.parquet")
    inputs = _plot_inputs(result, holdout, spec.target)
    plots = [plot.compute(inputs) for plot in PLOTS.values() if result.task in plot.tasks]
    by_kind = {plot.kind: asdict(plot) for plot in plots}
    (folder / "plots.json").write_text(json.dumps(by_kind, allow_nan=False))
    return plots


def _summary(result: FitResult, spec: FitSpec, plots: list[PlotNumbers]) -> dict[str, Any]:
    validated, metric = result.validated, METRICS[result.main_metric]
    return {
        "task": result.task,
        "features": [column.name for column in result.inputs],
        "excluded": result.excluded,
        "metrics": validated.metrics,
        "baseline_metrics": validated.baseline_metrics,
        "main_metric": metric.name,
        "metric_spread": validated.spread,
        "metric_intervals": validated.intervals,
        "fold_metrics": validated.folds,
        "best_params": result.best_params,
        "search": None
        if spec.search is None
        else {"metric": metric.name, "greater_is_better": metric.greater_is_better},
        "environment": describe_environment(
            ESTIMATORS[spec.estimator], searched=spec.search is not None
        )
        | {"seed": spec.seed},
        "warnings": result.warnings,
        "rows_used": result.rows_used,
        "rows_holdout": 0 if validated.holdout is None else len(validated.holdout.rows),
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
    data["fold"] = holdout.folds
    columns = {name: pa.array(values, from_pandas=True) for name, values in data.items()}
    pq.write_table(pa.table(columns), path)
