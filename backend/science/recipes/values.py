"""Columns by name, and values of JSON as values of a typed column."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import Any, Final, Literal

import polars as pl

from backend.science.recipes.fields import GREATEST_WHOLE, LEAST_WHOLE
from backend.science.recipes.problem import Blame, StepProblem, refuse

Field = tuple[str | int, ...]
Kind = Literal["number", "boolean", "string", "date", "datetime"]
# Up to here every whole number is a float.
LARGEST_WHOLE: Final = 2**53
_KIND_NOUNS: Final[Mapping[Kind, str]] = {
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "date": "a date such as 2024-05-17",
    "datetime": "a time such as 2024-05-17T08:30:00",
}


def exactly(names: Iterable[str]) -> pl.selectors.Selector:
    """The columns of these names; polars would read some names as patterns."""
    return pl.selectors.by_name(*names)


def column(name: str) -> pl.Expr:
    """The column of this name, see `exactly`."""
    made: pl.Expr = exactly([name]).as_expr()
    return made


def tidy(series: pl.Series) -> pl.Series:
    """The series with missing values as null: neither NaN nor empty text."""
    if series.dtype.is_float():
        return series.fill_nan(None)
    if series.dtype == pl.Null:
        return series.cast(pl.String)
    return series.set(series == "", None) if series.dtype == pl.String else series


def require_columns(frame: pl.DataFrame, wanted: Mapping[str, Field]) -> None:
    """Every name must be a column.

    Parameters
    ----------
    wanted
        Names with their place in the step.

    Raises
    ------
    StepProblem
        Names every column that is missing.
    """
    missing = [
        Blame(f"there is no column {name!r}", field)
        for name, field in wanted.items()
        if name not in frame.columns
    ]
    if missing:
        raise StepProblem(*missing)


def require_listed(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Every name of a list called `columns` must be a column."""
    require_columns(frame, {name: ("columns", at) for at, name in enumerate(columns)})


def kind_of(dtype: pl.DataType) -> Kind:
    """The kind of values that the column takes."""
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "datetime" if dtype.is_temporal() else "string"


def require_numbers(frame: pl.DataFrame, name: str, *field: str | int) -> None:
    """The column must hold numbers."""
    if kind_of(frame.schema[name]) != "number":
        raise refuse(f"{name} holds no numbers; cast it first", *field)


def as_value(frame: pl.DataFrame, name: str, value: object, *field: str | int) -> Any:
    """A JSON value as one that the column holds.

    Raises
    ------
    StepProblem
        The value is of another kind than the column.
    """
    kind = kind_of(frame.schema[name])
    try:
        return read_value(kind, value)
    except ValueError:
        raise refuse(f"{name} takes {_KIND_NOUNS[kind]}, not {repr(value)[:60]}", *field) from None


def read_value(kind: Kind, value: object) -> Any:
    """A JSON value as one of the kind; `ValueError` where it is none."""
    return _JSON_READERS[kind](value)


def as_key(frame: pl.DataFrame, name: str, text: str, *field: str | int) -> Any:
    """The text of a JSON key as a value of the column."""
    kind = kind_of(frame.schema[name])
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "number":
        whole = frame.schema[name].is_integer()
        try:
            number = int(text) if whole else float(text)
        except ValueError:
            number = GREATEST_WHOLE + 1 if whole else math.nan
        if math.isnan(number) or (whole and not LEAST_WHOLE <= number <= GREATEST_WHOLE):
            wanted = "whole numbers" if whole else "numbers"
            raise refuse(f"{name} holds {wanted}, {text[:60]!r} is none", *field)
        return number
    return as_value(frame, name, text, *field)


def is_among(series: pl.Series, listed: Sequence[Any]) -> pl.Series:
    """Which values are in a list of at least one; a missing value is missing."""
    if series.dtype == pl.Float64:
        listed = [_as_float(one) for one in listed]
    types = [pl.Series([one]).dtype for one in listed]
    alike = [one for one, dtype in zip(listed, types, strict=True) if dtype == series.dtype]
    rest = [one for one, dtype in zip(listed, types, strict=True) if dtype != series.dtype]
    found: list[pl.Series] = [series == one for one in rest]
    if alike:
        # Without its name, which polars may take for a pattern.
        found.append(series.alias("").is_in(alike))
    return reduce(or_, found)


def _as_float(value: Any) -> Any:
    return float(value) if type(value) is int and abs(value) <= LARGEST_WHOLE else value


def widened(frame: pl.DataFrame, name: str, values: list[Any]) -> pl.DataType:
    """The column's type, or a wider one where it holds whole numbers and a value is none."""
    dtype = frame.schema[name]
    if dtype.is_integer() and any(isinstance(value, float) for value in values):
        return pl.Float64()
    return dtype


def _read_number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    small = abs(value) <= LARGEST_WHOLE
    return int(value) if isinstance(value, float) and small and value.is_integer() else value


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _read_date(value: object) -> date:
    return date.fromisoformat(_read_text(value))


def _read_datetime(value: object) -> datetime:
    # Stored times are naive: as the file wrote them, or in UTC where it named an offset.
    moment = datetime.fromisoformat(_read_text(value))
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_JSON_READERS: Final[Mapping[Kind, Callable[[object], Any]]] = {
    "number": _read_number,
    "boolean": _read_boolean,
    "string": _read_text,
    "date": _read_date,
    "datetime": _read_datetime,
}
