"""Steps that choose, name and order columns and rows."""

from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
import polars as pl

from backend.science.column_names import clean_name, find_bad_name
from backend.science.recipes.problem import refuse
from backend.science.recipes.steps import (
    Condition,
    Deduplicate,
    DropColumns,
    DropNulls,
    FilterRows,
    Rename,
    Sample,
    Sort,
)
from backend.science.recipes.values import as_value, kind_of, require_columns


def drop_columns(frame: pl.DataFrame, step: DropColumns) -> pl.DataFrame:
    """Columns left out."""
    _require_listed(frame, step.columns)
    return frame.drop(step.columns)


def rename(frame: pl.DataFrame, step: Rename) -> pl.DataFrame:
    """Columns under other names; names may be swapped."""
    require_columns(frame, {name: ("columns", name) for name in step.columns})
    names = [clean_name(step.columns.get(name, name)) for name in frame.columns]
    bad = find_bad_name(names)
    if bad is not None:
        position, message = bad
        old = frame.columns[position]
        # The later of two equal names may be the one that was there before.
        blamed = old if old in step.columns else _renamed_to(step, names[position])
        raise refuse(message, "columns", blamed)
    made = frame.clone()
    made.columns = names
    return made


def _renamed_to(step: Rename, name: str) -> str:
    alike = [old for old, new in step.columns.items() if clean_name(new) == name]
    return alike[0] if alike else next(iter(step.columns))


def drop_nulls(frame: pl.DataFrame, step: DropNulls) -> pl.DataFrame:
    """Rows without missing values in the columns."""
    _require_listed(frame, step.columns)
    return frame.drop_nulls(step.columns)


def filter_rows(frame: pl.DataFrame, step: FilterRows) -> pl.DataFrame:
    """Rows that meet the conditions."""
    places: dict[str, tuple[str | int, ...]] = {}
    for position, condition in enumerate(step.conditions):
        places.setdefault(condition.column, ("conditions", position, "column"))
    require_columns(frame, places)
    met = [_met(frame, condition, at) for at, condition in enumerate(step.conditions)]
    return frame.filter(reduce(and_ if step.match == "all" else or_, met))


def _met(frame: pl.DataFrame, condition: Condition, position: int) -> pl.Series:
    """Which rows meet one condition; a missing value meets no comparison."""
    name, operator, value = condition.column, condition.operator, condition.value
    series = frame[name]
    if operator == "is_missing":
        return series.is_null()
    if operator == "is_known":
        return series.is_not_null()
    place = ("conditions", position, "value")
    if isinstance(value, list):
        among = [as_value(frame, name, item, *place, at) for at, item in enumerate(value)]
        inside = reduce(or_, (_compared(series, "==", item) for item in among))
        return inside if operator == "in" else ~inside & series.is_not_null()
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


def deduplicate(frame: pl.DataFrame, step: Deduplicate) -> pl.DataFrame:
    """One of the rows that agree; missing values agree with each other."""
    _require_listed(frame, step.columns)
    return frame.unique(step.columns, keep=step.keep, maintain_order=True)


def sort(frame: pl.DataFrame, step: Sort) -> pl.DataFrame:
    """Rows in order; equal ones keep theirs, missing values come last."""
    require_columns(frame, {key.column: ("by", at, "column") for at, key in enumerate(step.by)})
    return frame.sort(
        [key.column for key in step.by],
        descending=[key.descending for key in step.by],
        nulls_last=True,
        maintain_order=True,
    )


def sample(frame: pl.DataFrame, step: Sample) -> pl.DataFrame:
    """Rows drawn without replacement by the seed, in their old order."""
    count = step.rows or max(1, round((step.share or 0) * frame.height))
    if count > frame.height:
        raise refuse(f"{count:,} rows are asked for, there are {frame.height:,}", "rows")
    # NumPy's generator, whose stream does not depend on the version of polars.
    drawn = np.random.default_rng(step.seed).choice(frame.height, size=count, replace=False)
    return frame[np.sort(drawn)]


def _require_listed(frame: pl.DataFrame, columns: list[str] | None) -> None:
    require_columns(frame, {name: ("columns", at) for at, name in enumerate(columns or ())})
