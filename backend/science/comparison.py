"""Champion and challenger on the champion's frozen hold-out: the evidence for a promotion.

The difference has a paired bootstrap interval: both are scored on the same resampled rows.
Reference: Efron, Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
"""

import math
import pkgutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from backend.science.column_types import ColumnDescription
from backend.science.frames import feature_frame
from backend.science.metrics import METRICS
from backend.science.refusal import FitRefused
from backend.science.scores import PREDICTED, score
from backend.science.spec import Task

READ_PIXELS: Final = "backend.science.images.image_table:read_pixels"
RESAMPLES: Final = 200
# Beyond, each resample is of this many rows, and the scatter is scaled to all of them
# (m out of n bootstrap; Bickel, Götze, van Zwet 1997, Statistica Sinica 7).
RESAMPLED_ROWS: Final = 20_000
INTERVAL: Final = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Answers:
    """What one pipeline predicts for n rows, and their scores."""

    predicted: npt.NDArray[Any]
    metrics: dict[str, float]


def compare_request(
    request: Mapping[str, Any], on_progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """Compare two fitted pipelines on the rows that the first one held out.

    Parameters
    ----------
    request
        `champion`, `challenger`: joblib files. `champion_inputs`, `challenger_inputs`: their
        inputs as their outcomes tell them. `table`: Parquet file of the champion's data.
        `columns`: descriptions of its columns as JSON. `holdout`: Parquet file whose column `row`
        numbers its hold-out. `task`, `metric`, `minimum_gain`. `withheld`: how many rows the
        challenger was kept from.
    on_progress
        Called with a fraction from 0 to 1 and a text.

    Returns
    -------
    dict
        The evidence as JSON.

    Raises
    ------
    FitRefused
        The metric is not defined for these rows, or the images are of other sizes.
    """
    columns = {column["name"]: ColumnDescription(**column) for column in request["columns"]}
    _require_same_size(request)
    held = pq.read_table(request["holdout"], columns=["row", "observed"], use_threads=False)
    rows = held["row"].combine_chunks()
    observed = np.array(held["observed"].to_pylist())
    table = pq.read_table(request["table"], use_threads=False).take(rows)
    answers: dict[str, Answers] = {}
    for position, name in enumerate(("champion", "challenger")):
        on_progress(0.1 + 0.3 * position, f"Scoring the {name} on {len(observed):,} rows")
        pipeline = joblib.load(Path(request[name]))
        used = [columns[column["name"]] for column in request[f"{name}_inputs"]]
        answers[name] = answer(pipeline, table, used, observed, request["task"])
    on_progress(0.7, "Resampling the difference")
    return _evidence(request, observed, answers["champion"], answers["challenger"])


def answer(
    pipeline: Any,
    table: pa.Table,
    columns: list[ColumnDescription],
    observed: npt.NDArray[Any],
    task: Task,
) -> Answers:
    """Predict and score.

    Parameters
    ----------
    pipeline
        A fitted pipeline.
    table
        n rows with its inputs.
    columns
        Descriptions of its inputs.
    observed
        Known values of the target, shape (n,).
    task
        What is predicted.
    """
    features = _features(table, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an unseen category is handled as rare
        predicted = np.asarray(pipeline.predict(features))
        has_shares = task != "regression" and hasattr(pipeline, "predict_proba")
        shares = np.asarray(pipeline.predict_proba(features)) if has_shares else None
    classes = None if task == "regression" else pipeline.classes_
    return Answers(predicted, score(task, observed, predicted, shares, classes))


def _features(table: pa.Table, columns: list[ColumnDescription]) -> Any:
    if any(column.type == "image" for column in columns):
        return pkgutil.resolve_name(READ_PIXELS)(table)
    return feature_frame(table, columns)


def _require_same_size(inputs: Mapping[str, Any]) -> None:
    """A network that learnt from other sizes has nothing to say about the champion's images."""
    shapes = [
        {
            (column.get("width"), column.get("height"), column.get("channels"))
            for column in inputs[name]
        }
        for name in ("champion_inputs", "challenger_inputs")
    ]
    if shapes[0] != shapes[1]:
        raise FitRefused(
            "The new images have another size or other colours than those of the champion. "
            "Convert them first."
        )


def _evidence(
    request: Mapping[str, Any],
    observed: npt.NDArray[Any],
    champion: Answers,
    challenger: Answers,
) -> dict[str, Any]:
    metric = METRICS[request["metric"]]
    for name, answers in (("champion", champion), ("challenger", challenger)):
        if metric.name not in answers.metrics:
            raise FitRefused(
                f"{metric.title} of the {name} is not defined on the champion's hold-out. "
                "Choose another metric."
            )
    sign = 1.0 if metric.greater_is_better else -1.0
    gain = sign * (challenger.metrics[metric.name] - champion.metrics[metric.name])
    both = (champion.predicted, challenger.predicted)
    low, high = _interval(metric.name, sign, gain, observed, *both)
    return {
        "metric": metric.name,
        "title": metric.title,
        "greater_is_better": metric.greater_is_better,
        "champion": champion.metrics[metric.name],
        "challenger": challenger.metrics[metric.name],
        "gain": gain,
        "minimum_gain": request["minimum_gain"],
        "interval_low": low,
        "interval_high": high,
        "rows": len(observed),
        "withheld_rows": request["withheld"],
        "champion_metrics": champion.metrics,
        "challenger_metrics": challenger.metrics,
        "is_better": is_better(gain, request["minimum_gain"]),
        "verdict": _verdict(metric.title, gain, request["minimum_gain"], low, high, len(observed)),
    }


def is_better(gain: float, minimum_gain: float) -> bool:
    """Whether a gain is enough: equal is not better, whatever the margin.

    Parameters
    ----------
    gain
        Challenger minus champion, in the metric's good direction.
    minimum_gain
        The margin asked for, 0 or more.
    """
    return gain > 0 and gain >= minimum_gain


def _interval(
    metric: str,
    sign: float,
    gain: float,
    observed: npt.NDArray[Any],
    champion: npt.NDArray[Any],
    challenger: npt.NDArray[Any],
) -> tuple[float | None, float | None]:
    """Of the gain, at 95 %; none for metrics of probabilities or where it is not defined."""
    compute = PREDICTED.get(metric)
    if compute is None:
        return None, None
    draw = np.random.default_rng(0)
    count = min(len(observed), RESAMPLED_ROWS)
    gains: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample may hold one class only
        for _ in range(RESAMPLES):
            rows = draw.integers(0, len(observed), count)
            after = compute(observed[rows], challenger[rows])
            before = compute(observed[rows], champion[rows])
            gains.append(sign * (float(after) - float(before)))
    finite = np.array(gains)[np.isfinite(gains)]
    if len(finite) < RESAMPLES // 2:
        return None, None
    # Gains of fewer rows scatter more than those of all rows do.
    shrunk = gain + np.sqrt(count / len(observed)) * (finite - gain)
    low, high = np.quantile(shrunk, INTERVAL)
    return float(low), float(high)


def _verdict(
    title: str, gain: float, minimum_gain: float, low: float | None, high: float | None, rows: int
) -> str:
    """One sentence: what was found, and how sure it is."""
    if is_better(gain, minimum_gain):
        found = f"{title} is better by {_figure(gain)}"
    elif gain > 0:
        margin = _figure(minimum_gain)
        found = f"{title} is better by {_figure(gain)}, less than the margin of {margin}"
    elif gain == 0:
        found = f"{title} is the same"
    else:
        found = f"{title} is worse by {_figure(-gain)}"
    text = f"{found}, on the {rows:,} rows that the champion held out."
    if low is not None and high is not None:
        text += f" The data settle the gain to between {_figure(low)} and {_figure(high)} (95 %)."
    return text


def _figure(value: float) -> str:
    """Four significant digits, without an exponent where people write none."""
    size = abs(value)
    if not 1e-4 <= size < 1e15:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"
