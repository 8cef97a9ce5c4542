"""Steps that change values and leave the shape of the table."""

import math
from typing import Any

import polars as pl

from backend.science.recipes.problem import refuse
from backend.science.recipes.steps import Clip, Fill, FillNulls, ReplaceValues
from backend.science.recipes.values import (
    LARGEST_WHOLE,
    as_key,
    as_value,
    require_columns,
    require_numbers,
    widened,
)


def replace_values(frame: pl.DataFrame, step: ReplaceValues) -> pl.DataFrame:
    """Values of one column replaced; the keys are read as the column's type."""
    name = step.column
    require_columns(frame, {name: ("column",)})
    old = [as_key(frame, name, key, "values", key) for key in step.values]
    if len(set(old)) < len(old):
        raise refuse(f"two keys stand for one value of {name}", "values")
    new = [
        None if value is None else as_value(frame, name, value, "values", key)
        for key, value in step.values.items()
    ]
    dtype = widened(frame, name, new)
    source = frame[name].cast(dtype)
    replaced = source.replace_strict(
        pl.Series(old, dtype=dtype),
        pl.Series(new, dtype=dtype),
        default=source,
        return_dtype=dtype,
    )
    return frame.with_columns(replaced.alias(name))


def fill_nulls(frame: pl.DataFrame, step: FillNulls) -> pl.DataFrame:
    """Missing values filled, each column by its own method."""
    require_columns(frame, {name: ("columns", name) for name in step.columns})
    filled: list[pl.Series] = []
    for name, fill in step.columns.items():
        value = _filling(frame, name, fill)
        dtype = widened(frame, name, [value])
        filled.append(frame[name].cast(dtype).fill_null(pl.lit(value, dtype=dtype)))
    return frame.with_columns(filled)


def _filling(frame: pl.DataFrame, name: str, fill: Fill) -> Any:
    """What takes the place of the column's missing values."""
    if fill.method == "constant":
        return as_value(frame, name, fill.value, "columns", name, "value")
    present = frame[name].drop_nulls()
    if len(present) == 0:
        raise refuse(f"{name} has no values to take a {fill.method} of", "columns", name, "method")
    if fill.method == "most_frequent":
        # Under a name of its own: the column may be called `count`.
        counts = present.alias("value").value_counts()
        return counts.sort(["count", "value"], descending=[True, False])["value"][0]
    require_numbers(frame, name, "columns", name, "method")
    value = present.median() if fill.method == "median" else present.mean()
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse(f"{name} holds infinite values; its {fill.method} is none", "columns", name)
    small = abs(value) <= LARGEST_WHOLE
    whole = small and frame.schema[name].is_integer() and float(value).is_integer()
    return int(value) if whole else float(value)


def clip(frame: pl.DataFrame, step: Clip) -> pl.DataFrame:
    """Numbers beyond the bounds moved onto them."""
    require_columns(frame, {name: ("columns", name) for name in step.columns})
    clipped: list[pl.Series] = []
    for name, bounds in step.columns.items():
        require_numbers(frame, name, "columns", name)
        given = [bound for bound in (bounds.lower, bounds.upper) if bound is not None]
        series = frame[name].cast(widened(frame, name, given))
        clipped.append(series.clip(bounds.lower, bounds.upper))
    return frame.with_columns(clipped)
