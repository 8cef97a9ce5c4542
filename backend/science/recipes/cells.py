"""Steps that change values and leave the shape of the table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from backend.science.recipes.problem import refuse
from backend.science.recipes.values import (
    LARGEST_WHOLE,
    as_key,
    as_value,
    require_columns,
    require_listed,
    require_numbers,
    tidy,
    widened,
)


def replace_values(frame: pl.DataFrame, *, column: str, values: Mapping[str, Any]) -> pl.DataFrame:
    """Values of one column replaced; the keys are read as the column's type."""
    name = column
    require_columns(frame, {name: ("column",)})
    old = [as_key(frame, name, key, "values", key) for key in values]
    if len(set(old)) < len(old):
        raise refuse(f"two keys stand for one value of {name}", "values")
    new = [
        None if value is None else as_value(frame, name, value, "values", key)
        for key, value in values.items()
    ]
    dtype = widened(frame, name, new)
    source = frame[name].cast(dtype)
    replaced = source.replace_strict(
        pl.Series(old, dtype=dtype),
        pl.Series(new, dtype=dtype),
        default=source,
        return_dtype=dtype,
    )
    return frame.with_columns(tidy(replaced.alias(name)))


def fill_nulls(frame: pl.DataFrame, *, columns: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Missing values filled, each column by its own `method`, a constant with its `value`."""
    require_columns(frame, {name: ("columns", name) for name in columns})
    filled: list[pl.Series] = []
    for name, fill in columns.items():
        value = _filling(frame, name, fill)
        dtype = widened(frame, name, [value])
        filled.append(tidy(frame[name].cast(dtype).fill_null(pl.lit(value, dtype=dtype))))
    return frame.with_columns(filled)


def _filling(frame: pl.DataFrame, name: str, fill: Mapping[str, Any]) -> Any:
    """What takes the place of the column's missing values."""
    method = fill["method"]
    if method == "constant":
        return as_value(frame, name, fill["value"], "columns", name, "value")
    present = frame[name].drop_nulls()
    if len(present) == 0:
        raise refuse(f"{name} has no values to take a {method} of", "columns", name, "method")
    if method == "most_frequent":
        # Under a name of its own: the column may be called `count`.
        counts = present.alias("value").value_counts()
        return counts.sort(["count", "value"], descending=[True, False])["value"][0]
    require_numbers(frame, name, "columns", name, "method")
    value = present.median() if method == "median" else present.mean()
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse(f"{name} holds infinite values; its {method} is none", "columns", name)
    small = abs(value) <= LARGEST_WHOLE
    whole = small and frame.schema[name].is_integer() and float(value).is_integer()
    return int(value) if whole else float(value)


def clip(frame: pl.DataFrame, *, columns: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Numbers beyond the bounds, `lower` and `upper`, moved onto them."""
    require_columns(frame, {name: ("columns", name) for name in columns})
    clipped: list[pl.Series] = []
    for name, bounds in columns.items():
        require_numbers(frame, name, "columns", name)
        clipped.append(_clipped(frame, name, bounds.get("lower"), bounds.get("upper")))
    return frame.with_columns(clipped)


def _clipped(frame: pl.DataFrame, name: str, lower: float | None, upper: float | None) -> pl.Series:
    given = [bound for bound in (lower, upper) if bound is not None]
    return frame[name].cast(widened(frame, name, given)).clip(lower, upper)


def winsorise(
    frame: pl.DataFrame, *, columns: Sequence[str], lower: float = 0.01, upper: float = 0.99
) -> pl.DataFrame:
    """Numbers beyond two quantiles (linear interpolation) moved onto them."""
    require_listed(frame, columns)
    clipped: list[pl.Series] = []
    for at, name in enumerate(columns):
        require_numbers(frame, name, "columns", at)
        bounds = [_quantile(frame[name], share, at) for share in (lower, upper)]
        clipped.append(_clipped(frame, name, bounds[0], bounds[1]))
    return frame.with_columns(clipped)


def _quantile(numbers: pl.Series, share: float, at: int) -> float | int:
    value = numbers.quantile(share, interpolation="linear")
    if value is None:
        raise refuse(f"{numbers.name} has no values to take a quantile of", "columns", at)
    if not math.isfinite(value):
        raise refuse(f"{numbers.name} holds infinite values; its quantile is none", "columns", at)
    whole = numbers.dtype.is_integer() and value.is_integer() and abs(value) <= LARGEST_WHOLE
    return int(value) if whole else float(value)
