"""Steps that compute new columns from those that are there."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Final

import polars as pl

from backend.science.column_names import LONGEST_NAME, clean_name, find_bad_name
from backend.science.recipes.expressions.functions import (
    day,
    day_of_year,
    hour,
    is_weekend,
    minute,
    month,
    multiply,
    quarter,
    second,
    weekday,
    year,
)
from backend.science.recipes.fields import MOST_COLUMNS
from backend.science.recipes.problem import refuse
from backend.science.recipes.values import (
    LARGEST_WHOLE,
    column,
    kind_of,
    require_listed,
    require_numbers,
    tidy,
)

PARTS_OF_DATES: Final[Mapping[str, Callable[[pl.Expr], pl.Expr]]] = {
    "year": year,
    "quarter": quarter,
    "month": month,
    "day": day,
    "weekday": weekday,
    "day_of_year": day_of_year,
    "hour": hour,
    "minute": minute,
    "second": second,
    "is_weekend": is_weekend,
}
PARTS_OF_TIMES: Final = ("hour", "minute", "second")


def derive(
    frame: pl.DataFrame, *, name: str, value: pl.Expr, whole_if: Sequence[str] | None = None
) -> pl.DataFrame:
    """A column computed for each row; one of that name is replaced in its place.

    Parameters
    ----------
    value
        Expression over the frame's columns.
    whole_if
        Columns that must hold whole numbers for the result to be whole; None if it never is.
    """
    kept = clean_name(name)
    whole = whole_if is not None and all(frame.schema[one].is_integer() for one in whole_if)
    made = _computed(frame, kept, value, whole=whole)
    if kept in frame.columns:
        return frame.with_columns(made)
    return with_new(frame, [made], "name")


def _computed(frame: pl.DataFrame, name: str, value: pl.Expr, *, whole: bool) -> pl.Series:
    """Whole results as integers while they are exact, other numbers in double precision."""
    # A name of its own, so that a constant takes the height of the frame.
    made = frame.with_columns(value.alias(name))[name]
    if not made.dtype.is_numeric():
        return tidy(made)
    if not whole:
        return tidy(made.cast(pl.Float64))
    if made.dtype.is_integer() or bool((made.abs() <= LARGEST_WHOLE).all()):
        return made.cast(pl.Int64)
    return made


def with_new(frame: pl.DataFrame, made: Sequence[pl.Series], *field: str | int) -> pl.DataFrame:
    """The frame with further columns, whose names must be new; `field` takes the blame."""
    names = [*frame.columns, *(series.name for series in made)]
    if (bad := find_bad_name(names)) is not None:
        raise refuse(bad[1], *field)
    if len(names) > MOST_COLUMNS:
        raise refuse(f"{len(names):,} columns, at most {MOST_COLUMNS:,}", *field)
    if max(map(len, names)) > LONGEST_NAME:
        raise refuse(f"a name has at most {LONGEST_NAME} characters", *field)
    return frame.with_columns(made)


def date_parts(
    frame: pl.DataFrame, *, columns: Sequence[str], parts: Sequence[str]
) -> pl.DataFrame:
    """Parts of dates as columns of their own."""
    require_listed(frame, columns)
    made: list[pl.Series] = []
    for at, name in enumerate(columns):
        kind = kind_of(frame.schema[name])
        if kind not in ("date", "datetime"):
            raise refuse(f"{name} holds no dates; cast or parse it first", "columns", at)
        for place, part in enumerate(parts):
            if kind == "date" and part in PARTS_OF_TIMES:
                raise refuse(f"{name} holds dates, which have no {part}", "parts", place)
            value = PARTS_OF_DATES[part](column(name)).alias(f"{name}_{part}")
            made.append(frame.select(value).to_series())
    return with_new(frame, made, "columns")


def interactions(frame: pl.DataFrame, *, columns: Sequence[str]) -> pl.DataFrame:
    """The product of each two of the columns."""
    require_listed(frame, columns)
    for at, name in enumerate(columns):
        require_numbers(frame, name, "columns", at)
    named = zip(names_of_products(columns), combinations(columns, 2), strict=True)
    return with_new(frame, [_product(frame, name, pair) for name, pair in named], "columns")


def names_of_products(columns: Sequence[str]) -> list[str]:
    """What `interactions` calls its columns."""
    return [f"{one}_x_{two}" for one, two in combinations(columns, 2)]


def polynomial(frame: pl.DataFrame, *, columns: Sequence[str], degree: int = 2) -> pl.DataFrame:
    """The powers of the columns from 2 to the degree."""
    require_listed(frame, columns)
    for at, name in enumerate(columns):
        require_numbers(frame, name, "columns", at)
    factors = [[name] * power for name in columns for power in range(2, degree + 1)]
    named = zip(names_of_powers(columns, degree), factors, strict=True)
    return with_new(frame, [_product(frame, name, powers) for name, powers in named], "columns")


def names_of_powers(columns: Sequence[str], degree: int) -> list[str]:
    """What `polynomial` calls its columns."""
    return [f"{name}_pow{power}" for name in columns for power in range(2, degree + 1)]


def _product(frame: pl.DataFrame, name: str, factors: Sequence[str]) -> pl.Series:
    value = column(factors[0])
    for factor in factors[1:]:
        value = multiply(value, column(factor))
    whole = all(frame.schema[factor].is_integer() for factor in factors)
    return _computed(frame, name, value, whole=whole)
