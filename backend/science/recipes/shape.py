"""Steps that choose, name and order columns and rows."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any, Literal

import numpy as np
import polars as pl

from backend.science.column_names import clean_name, find_bad_name
from backend.science.recipes.problem import refuse
from backend.science.recipes.values import (
    as_value,
    column,
    exactly,
    is_among,
    kind_of,
    require_columns,
    require_listed,
)


def drop_columns(frame: pl.DataFrame, *, columns: Sequence[str]) -> pl.DataFrame:
    """Columns left out."""
    require_listed(frame, columns)
    return frame.drop(exactly(columns))


def keep_columns(frame: pl.DataFrame, *, columns: Sequence[str]) -> pl.DataFrame:
    """The columns in the order of the list, without the others."""
    require_listed(frame, columns)
    return pl.DataFrame([frame[name] for name in dict.fromkeys(columns)])


def rename(frame: pl.DataFrame, *, columns: Mapping[str, str]) -> pl.DataFrame:
    """Columns under other names; names may be swapped."""
    require_columns(frame, {name: ("columns", name) for name in columns})
    names = [clean_name(columns.get(name, name)) for name in frame.columns]
    bad = find_bad_name(names)
    if bad is not None:
        position, message = bad
        old = frame.columns[position]
        # The later of two equal names may be the one that was there before.
        blamed = old if old in columns else _renamed_to(columns, names[position])
        raise refuse(message, "columns", blamed)
    made = frame.clone()
    made.columns = names
    return made


def _renamed_to(columns: Mapping[str, str], name: str) -> str:
    alike = [old for old, new in columns.items() if clean_name(new) == name]
    return alike[0] if alike else next(iter(columns))


def drop_nulls(frame: pl.DataFrame, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows without missing values in the columns."""
    require_listed(frame, columns or ())
    return frame.drop_nulls(exactly(columns or frame.columns))


def filter_rows(
    frame: pl.DataFrame, *, conditions: Sequence[Mapping[str, Any]], match: str = "all"
) -> pl.DataFrame:
    """Rows that meet the conditions, each of a column, an operator and a value."""
    places: dict[str, tuple[str | int, ...]] = {}
    for position, condition in enumerate(conditions):
        places.setdefault(condition["column"], ("conditions", position, "column"))
    require_columns(frame, places)
    met = [_met(frame, condition, at) for at, condition in enumerate(conditions)]
    return frame.filter(reduce(and_ if match == "all" else or_, met))


def filter_where(frame: pl.DataFrame, *, met: pl.Expr) -> pl.DataFrame:
    """Rows for which the expression is true; a missing answer is no."""
    return frame.filter(met)


def _met(frame: pl.DataFrame, condition: Mapping[str, Any], position: int) -> pl.Series:
    """Which rows meet one condition; a missing value meets no comparison."""
    name: str = condition["column"]
    operator: str = condition["operator"]
    value = condition.get("value")
    series = frame[name]
    if operator == "is_missing":
        return series.is_null()
    if operator == "is_known":
        return series.is_not_null()
    place = ("conditions", position, "value")
    if isinstance(value, list):
        among = [as_value(frame, name, item, *place, at) for at, item in enumerate(value)]
        inside = is_among(series, among).fill_null(value=False)
        known: pl.Series = ~inside & series.is_not_null()
        return inside if operator == "in" else known
    if operator not in ("==", "!=") and kind_of(series.dtype) == "boolean":
        raise refuse(f"{name} holds true and false, which have no order", *place[:2], "operator")
    return _compared(series, operator, as_value(frame, name, value, *place))


def _compared(series: pl.Series, operator: str, value: Any) -> pl.Series:
    answers = {
        "==": series.__eq__,
        "!=": series.__ne__,
        "<": series.__lt__,
        "<=": series.__le__,
        ">": series.__gt__,
        ">=": series.__ge__,
    }
    met: pl.Series = answers[operator](value)
    return met.fill_null(value=False)


def deduplicate(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    keep: Literal["first", "last"] = "first",
) -> pl.DataFrame:
    """One of the rows that agree; missing values agree with each other."""
    require_listed(frame, columns or ())
    return frame.unique(exactly(columns or frame.columns), keep=keep, maintain_order=True)


def sort(frame: pl.DataFrame, *, by: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows in order; equal ones keep theirs, missing values come last."""
    require_columns(frame, {key["column"]: ("by", at, "column") for at, key in enumerate(by)})
    return frame.sort(
        [column(key["column"]) for key in by],
        descending=[key.get("descending", False) for key in by],
        nulls_last=True,
        maintain_order=True,
    )


def sample(
    frame: pl.DataFrame, *, rows: int | None = None, share: float | None = None, seed: int = 0
) -> pl.DataFrame:
    """Rows drawn without replacement by the seed, in their old order."""
    count = rows or max(1, round((share or 0) * frame.height))
    if count > frame.height:
        raise refuse(f"{count:,} rows are asked for, there are {frame.height:,}", "rows")
    # NumPy's generator, whose stream does not depend on the version of polars.
    drawn = np.random.default_rng(seed).choice(frame.height, size=count, replace=False)
    return frame[np.sort(drawn)]
