"""Columns read as another type; what does not fit is counted, never guessed."""

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from backend.science.csv_table import DATETIME_FORMATS
from backend.science.recipes.problem import Blame, StepProblem
from backend.science.recipes.steps import Cast, CastType
from backend.science.recipes.values import LARGEST_WHOLE, kind_of, require_columns

WORDS: Final = {"true": True, "1": True, "false": False, "0": False}
SHOWN_EXAMPLES: Final = 3
NOUNS: Final[Mapping[CastType, str]] = {
    "number": "numbers",
    "integer": "whole numbers",
    "boolean": "true or false",
    "string": "text",
    "date": "dates",
    "datetime": "times",
}


def cast(frame: pl.DataFrame, step: Cast) -> pl.DataFrame:
    """The columns as another type; values that do not fit are refused or become missing."""
    places: dict[str, tuple[str | int, ...]] = {
        name: ("columns", position) for position, name in enumerate(step.columns)
    }
    require_columns(frame, places)
    made = [_READERS[step.to](frame[name]).alias(name) for name in places]
    blames = [
        Blame(_what_is_odd(frame[new.name], new, step.to), places[new.name])
        for new in made
        if step.errors == "refuse" and new.null_count() > frame[new.name].null_count()
    ]
    if blames:
        raise StepProblem(*blames)
    return frame.with_columns(made)


def _what_is_odd(before: pl.Series, after: pl.Series, to: CastType) -> str:
    odd = before.filter(before.is_not_null() & after.is_null())
    examples = odd.unique(maintain_order=True)[:SHOWN_EXAMPLES]
    shown = ", ".join(repr(str(value))[:60] for value in examples)
    known = len(before) - before.null_count()
    return f"{before.name}: {len(odd):,} of {known:,} values are not {NOUNS[to]} ({shown})"


def _nothing(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    return pl.Series(series.name, [None] * len(series), dtype=dtype)


def _to_number(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return _nothing(series, pl.Float64())
    source = series.str.strip_chars() if kind == "string" else series
    numbers = source.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)


def _to_integer(series: pl.Series) -> pl.Series:
    if series.dtype.is_integer():
        return series
    if kind_of(series.dtype) == "string":
        exact = series.str.strip_chars().cast(pl.Int64, strict=False)
        return exact.zip_with(exact.is_not_null(), _whole(_to_number(series)))
    return _whole(_to_number(series))


def _whole(numbers: pl.Series) -> pl.Series:
    fits = (numbers == numbers.round()) & (numbers.abs() <= LARGEST_WHOLE)
    return numbers.set(~fits, None).cast(pl.Int64)


def _to_boolean(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind == "boolean":
        return series
    if kind == "number":
        return (series == 1).set((series != 0) & (series != 1), None)
    if kind == "string":
        lowered = series.str.strip_chars().str.to_lowercase()
        return lowered.replace_strict(WORDS, default=None, return_dtype=pl.Boolean)
    return _nothing(series, pl.Boolean())


def _to_string(series: pl.Series) -> pl.Series:
    if kind_of(series.dtype) == "datetime":
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return series.cast(pl.String)


def _to_date(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return series.cast(pl.Date)
    if kind == "string":
        return series.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return _nothing(series, pl.Date())


def _to_datetime(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return series.cast(pl.Datetime("us"))
    if kind != "string":
        return _nothing(series, pl.Datetime("us"))
    trimmed = series.str.strip_chars().str.strip_suffix("Z")
    found = _to_date(series).cast(pl.Datetime("us"))
    for pattern in DATETIME_FORMATS:
        parsed = trimmed.str.to_datetime(pattern, strict=False, time_unit="us")
        found = found.zip_with(found.is_not_null(), parsed)
    return found


_READERS: Final[Mapping[CastType, Callable[[pl.Series], pl.Series]]] = {
    "number": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "string": _to_string,
    "date": _to_date,
    "datetime": _to_datetime,
}
