"""Columns read as another type; what does not fit is counted, never guessed."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from backend.science.csv_table import DATETIME_FORMATS
from backend.science.recipes.problem import Blame, StepProblem, refuse
from backend.science.recipes.values import LARGEST_WHOLE, kind_of, require_listed
from backend.science.tables.inference import FIRST_DAY, LAST_DAY, with_full_years

WORDS: Final = {"true": True, "1": True, "false": False, "0": False}
SHOWN_EXAMPLES: Final = 3
HOURS: Final = re.compile("%[HI]")
NOUNS_OF_TYPES: Final[Mapping[str, str]] = {
    "number": "numbers",
    "integer": "whole numbers",
    "boolean": "true or false",
    "string": "text",
    "date": "dates",
    "datetime": "times",
}


def cast(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str],
    to: str,
    errors: str = "refuse",
    decimal: str = ".",
) -> pl.DataFrame:
    """The columns as another type; values that do not fit are refused or become missing."""
    require_listed(frame, columns)
    made = [
        _CASTS[to](_with_point(frame[name], to, decimal)).alias(name)
        for name in dict.fromkeys(columns)
    ]
    return _replaced(frame, made, columns, NOUNS_OF_TYPES[to], errors)


def _with_point(series: pl.Series, to: str, decimal: str) -> pl.Series:
    """Decimal commas as points; a text that has a point already may mean thousands by it."""
    if decimal == "." or to not in ("number", "integer") or kind_of(series.dtype) != "string":
        return series
    with_comma = series.str.replace(",", ".", literal=True)
    return with_comma.set(series.str.contains(".", literal=True), "?")


def parse_dates(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str],
    formats: Sequence[str],
    errors: str = "refuse",
) -> pl.DataFrame:
    """Text as dates, or as times where a format has hours; the first format that fits counts."""
    require_listed(frame, columns)
    kind = "datetime" if any(HOURS.search(pattern) for pattern in formats) else "date"
    made = [_parsed(frame, name, formats, kind, at) for at, name in enumerate(columns)]
    return _replaced(frame, made, columns, f"{NOUNS_OF_TYPES[kind]} of this format", errors)


def _parsed(
    frame: pl.DataFrame, name: str, formats: Sequence[str], kind: str, at: int
) -> pl.Series:
    series = frame[name]
    dtype = pl.Datetime("us") if kind == "datetime" else pl.Date()
    if kind_of(series.dtype) in ("date", "datetime"):
        return series.cast(dtype)
    if kind_of(series.dtype) != "string":
        raise refuse(f"{name} holds no text; dates are parsed from text", "columns", at)
    trimmed = series.str.strip_chars()
    found = nothing(series, dtype)
    for pattern in formats:
        full = with_full_years(trimmed, pattern)
        if HOURS.search(pattern):
            parsed = full.str.to_datetime(pattern, strict=False, time_unit="us")
        else:
            parsed = full.str.to_date(pattern, strict=False).cast(dtype)
        found = found.zip_with(found.is_not_null(), parsed)
    return _in_common_years(found)


def _in_common_years(times: pl.Series) -> pl.Series:
    """Years 1 to 9999, which Python and JSON can show; others are missing."""
    days = times.cast(pl.Date)
    return times.set((days < FIRST_DAY) | (days > LAST_DAY), None)


def _replaced(
    frame: pl.DataFrame, made: list[pl.Series], columns: Sequence[str], nouns: str, errors: str
) -> pl.DataFrame:
    """The frame with the columns as they were made, unless values were lost that may not be."""
    blames = [
        Blame(_what_is_odd(frame[new.name], new, nouns), ("columns", columns.index(new.name)))
        for new in made
        if errors == "refuse" and new.null_count() > frame[new.name].null_count()
    ]
    if blames:
        raise StepProblem(*blames)
    return frame.with_columns(made)


def _what_is_odd(before: pl.Series, after: pl.Series, nouns: str) -> str:
    odd = before.filter(before.is_not_null() & after.is_null())
    examples = odd.unique(maintain_order=True)[:SHOWN_EXAMPLES]
    shown = ", ".join(repr(str(value))[:60] for value in examples)
    known = len(before) - before.null_count()
    return f"{before.name}: {len(odd):,} of {known:,} values are not {nouns}: {shown}"


def nothing(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A column of that name and height without values."""
    return pl.Series(series.name, [None] * len(series), dtype=dtype)


def _to_number(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return nothing(series, pl.Float64())
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
    return nothing(series, pl.Boolean())


def _to_string(series: pl.Series) -> pl.Series:
    if kind_of(series.dtype) == "datetime":
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return series.cast(pl.String)


def _to_date(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return series.cast(pl.Date)
    if kind == "string":
        full = with_full_years(series.str.strip_chars(), "%Y-%m-%d")
        return _in_common_years(full.str.to_date("%Y-%m-%d", strict=False))
    return nothing(series, pl.Date())


def _to_datetime(series: pl.Series) -> pl.Series:
    kind = kind_of(series.dtype)
    if kind in ("date", "datetime"):
        return series.cast(pl.Datetime("us"))
    if kind != "string":
        return nothing(series, pl.Datetime("us"))
    trimmed = series.str.strip_chars().str.strip_suffix("Z")
    found = _to_date(series).cast(pl.Datetime("us"))
    for pattern in DATETIME_FORMATS:
        full = with_full_years(trimmed, pattern)
        parsed = full.str.to_datetime(pattern, strict=False, time_unit="us")
        found = found.zip_with(found.is_not_null(), parsed)
    return _in_common_years(found)


_CASTS: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    "number": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "string": _to_string,
    "date": _to_date,
    "datetime": _to_datetime,
}
