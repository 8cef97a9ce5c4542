"""A table from JSON: typed as JSON says, one type per column, nothing guessed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from backend.science.csv_table import TypedTable, find_doubts

GREATEST_WHOLE: Final = 2**63 - 1
LEAST_WHOLE: Final = -(2**63)
KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
}


class CellProblem(ValueError):
    """A value does not go with its column; `row` counts from 0."""

    def __init__(self, column: str, row: int, message: str) -> None:
        super().__init__(f"{column}, row {row}: {message}")
        self.column = column
        self.row = row


class CellProblems(ValueError):
    """The first problem of each column that has one."""

    def __init__(self, problems: Sequence[CellProblem]) -> None:
        more = f" ({len(problems):,} columns have problems)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


def table_of(columns: Mapping[str, Sequence[Any]], max_cell_bytes: int) -> TypedTable:
    """A typed table.

    Parameters
    ----------
    columns
        Values by column name, all n long: numbers, booleans, text, and None for missing.
    max_cell_bytes
        Bound on one text.

    Raises
    ------
    CellProblems
        The first value of each column that has another kind than the ones before it, is no
        scalar, is not finite or cannot be stored.
    """
    warnings: list[str] = []
    series: list[pl.Series] = []
    problems: list[CellProblem] = []
    for name, values in columns.items():
        try:
            series.append(_typed(name, values, max_cell_bytes, warnings))
        except CellProblem as problem:
            problems.append(problem)
    if problems:
        raise CellProblems(problems)
    frame = pl.DataFrame(series)
    return TypedTable(frame, warnings + find_doubts(frame), ",")


def _typed(name: str, values: Sequence[Any], max_cell_bytes: int, warnings: list[str]) -> pl.Series:
    kind = _kind(name, values)
    if kind is None:
        warnings.append(f"{name}: the column is empty")
        return pl.Series(name, values, dtype=pl.String)
    if kind == "text":
        _check_texts(name, values, max_cell_bytes)
        return pl.Series(name, values, dtype=pl.String)
    if kind == "true or false":
        return pl.Series(name, values, dtype=pl.Boolean)
    return _numbers(name, values, warnings)


def _kind(name: str, values: Sequence[Any]) -> str | None:
    """What all values are; None where none is known."""
    kinds = {type(value) for value in values} - {type(None)}
    wanted = {KINDS.get(kind) for kind in kinds}
    if len(wanted) <= 1 and None not in wanted:
        return next(iter(wanted), None)
    first: str | None = None
    for row, value in enumerate(values):
        if value is None:
            continue
        kind = KINDS.get(type(value))
        if kind is None:
            raise CellProblem(name, row, "a number, text, boolean or null is wanted")
        first = first or kind
        if kind != first:
            raise CellProblem(name, row, f"{kind}, but the values before are {first}")
    raise AssertionError("kinds differ in no row")


def _check_texts(name: str, values: Sequence[str | None], max_cell_bytes: int) -> None:
    for row, value in enumerate(values):
        if value is None:
            continue
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise CellProblem(name, row, "the text contains an unpaired surrogate") from None
        if "\x00" in value:
            raise CellProblem(name, row, "the text contains the character U+0000")
        if size > max_cell_bytes:
            raise CellProblem(name, row, f"the text is longer than {max_cell_bytes:,} bytes")


def _numbers(name: str, values: Sequence[Any], warnings: list[str]) -> pl.Series:
    whole = all(value is None or type(value) is int for value in values)
    if whole and all(value is None or LEAST_WHOLE <= value <= GREATEST_WHOLE for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if whole:
        warnings.append(f"{name}: whole numbers beyond 64 bits are read as approximate")
    return pl.Series(name, [_finite(name, row, v) for row, v in enumerate(values)], pl.Float64)


def _finite(name: str, row: int, value: int | float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CellProblem(name, row, "the number is too large or infinite")
    return number
