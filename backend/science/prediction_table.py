"""A CSV file of rows to predict for: checked against the model's inputs, answered beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backend.science.column_types import LARGEST_NUMBER
from backend.science.csv_export import injection_safe
from backend.science.csv_table import (
    DATETIME_FORMATS,
    TableLimits,
    TextTable,
    line_of_row,
    read_text_table,
)
from backend.science.predict import predict_features
from backend.science.rows import WANTED, Kind
from backend.science.tables.inference import ISO_DAY, trimmed

PREDICTION: Final = "prediction"
SECONDS_PER_DAY: Final = 86_400
# What is computed at a time: bounds memory, and costs nothing at this size.
ROWS_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class ColumnProblem:
    """What is wrong with one column of the file; `line` is the first bad one."""

    column: str
    message: str
    kind: Kind
    line: int | None = None


@dataclass(frozen=True, slots=True)
class PredictionInputs:
    """A file that fits the model: its cells as text, and its inputs as numbers or text."""

    text: TextTable
    features: pl.DataFrame


def read_inputs(
    path: Path,
    inputs: Sequence[Mapping[str, Any]],
    passed_through: frozenset[str],
    limits: TableLimits,
) -> PredictionInputs | list[ColumnProblem]:
    """Read a file, or tell every missing, unknown and ill-typed column.

    Parameters
    ----------
    path
        A CSV file.
    inputs
        The model's inputs, as `column_types.InputColumn` in JSON.
    passed_through
        Columns that may stand in the file without being inputs: the target, and what the fit
        left out.
    limits
        Bounds on the file's shape.

    Raises
    ------
    TableProblem
        The file is no table.
    """
    text = read_text_table(path, limits)
    known = {column["name"]: column["type"] for column in inputs}
    present = set(text.frame.columns)
    problems = [
        ColumnProblem(name, f"{name} is missing", "missing")
        for name in known
        if name not in present
    ]
    problems += [
        ColumnProblem(name, f"{name} is not an input of this model", "unknown")
        for name in text.frame.columns
        if name not in known and name not in passed_through
    ]
    features: list[pl.Series] = []
    for name, kind in known.items():
        if name in present:
            series = _typed(text.frame[name], kind)
            features.append(series)
            problems += _ill_typed(path, text, series, kind)
    if problems:
        return problems
    return PredictionInputs(text, pl.DataFrame(features))


def _typed(text: pl.Series, kind: str) -> pl.Series:
    """Numbers as float64, text as it stands; what does not fit is null."""
    if kind == "string":
        return text
    bare = trimmed(text)
    if kind in ("number", "integer"):
        numbers = bare.cast(pl.Float64, strict=False)
        return numbers.set(~(numbers.abs() <= LARGEST_NUMBER), None)
    if kind == "boolean":
        words = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
        lowered = bare.str.to_lowercase()
        return lowered.replace_strict(words, default=None, return_dtype=pl.Float64)
    return _days(bare)


def _days(bare: pl.Series) -> pl.Series:
    """Days since 1970 of dates and instants in ISO 8601."""
    bare = bare.set(~bare.str.contains(ISO_DAY), None)
    instants = bare.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    utc = bare.str.strip_suffix("Z")
    for pattern in DATETIME_FORMATS:
        parsed = utc.str.to_datetime(pattern, strict=False, time_unit="us")
        instants = instants.zip_with(instants.is_not_null(), parsed)
        zoned = bare.str.to_datetime(f"{pattern}%:z", strict=False, time_unit="us")
        instants = instants.zip_with(instants.is_not_null(), zoned.dt.replace_time_zone(None))
    return instants.cast(pl.Int64).cast(pl.Float64) / 1e6 / SECONDS_PER_DAY


def _ill_typed(path: Path, text: TextTable, series: pl.Series, kind: str) -> list[ColumnProblem]:
    raw = text.frame[series.name]
    bad = (series.is_null() & trimmed(raw).is_not_null()).arg_true()
    if len(bad) == 0:
        return []
    first = int(bad[0])
    more = f" ({len(bad):,} such values)" if len(bad) > 1 else ""
    message = f"{series.name} must be {WANTED[kind]}, not {str(raw[first])[:50]!r}{more}"
    line = line_of_row(path, text.delimiter, first)
    return [ColumnProblem(series.name, message, "type", line)]


def write_predictions(
    pipeline: Any,
    output: Mapping[str, Any],
    table: PredictionInputs,
    target: Path,
) -> None:
    """Write the file's own columns, the prediction, and for classes their probabilities.

    Parameters
    ----------
    pipeline, output
        A fitted pipeline and its output, as the fit's outcome tells it.
    table
        n rows that fit the model.
    target
        The CSV file to write, with the delimiter of the one that was read.
    """
    with target.open("wb") as sink:
        for start in range(0, table.features.height, ROWS_AT_ONCE):
            part = table.features.slice(start, ROWS_AT_ONCE)
            columns = {series.name: _as_feature(series) for series in part.iter_columns()}
            answer = predict_features(pipeline, output, columns)
            beside: dict[str, npt.NDArray[Any]] = {PREDICTION: answer.predictions}
            for position, name in enumerate(answer.classes or ()):
                beside[f"probability:{name}"] = answer.shares[:, position]
            rows = table.text.frame.slice(start, ROWS_AT_ONCE)
            new = pl.DataFrame(beside).rename(
                {name: _free_name(name, rows.columns) for name in beside}
            )
            injection_safe(rows.hstack(new)).write_csv(
                sink, separator=table.text.delimiter, include_header=start == 0
            )


def _as_feature(series: pl.Series) -> npt.NDArray[Any]:
    values = series.to_numpy()
    if series.dtype == pl.String:
        values = np.where(series.is_null().to_numpy(), np.nan, values)
    return values


def _free_name(name: str, taken: Sequence[str]) -> str:
    """The name, numbered where the file has a column of that name."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
