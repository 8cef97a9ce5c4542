"""Doubts about columns of text, and the steps that mend them."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backend.science.tables.doubts import find_doubts
from backend.science.tables.table_file import Doubt


def doubts_of(folder: Path, values: list[str | None]) -> list[Doubt]:
    path = folder / "typed.parquet"
    pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}).write_parquet(path, row_group_size=7)
    return find_doubts(path)


CAST = {"kind": "cast", "columns": ["x"], "to": "number", "errors": "null"}


def _dates(*formats: str) -> dict[str, Any]:
    return {"kind": "parse_dates", "columns": ["x"], "formats": [*formats], "errors": "null"}


@pytest.mark.parametrize(
    ("values", "message", "step"),
    [
        (["130"] * 392 + ["?"] * 6, "x: 6 of 398 values are not numbers: '?'", CAST),
        (["1", "2"] * 20 + ["a", "b"], "x: 2 of 42 values are not numbers: 'a', 'b'", CAST),
        (["1", "2.5"], "x: looks like numbers, written as text", CAST),
        (
            ["0,5", "12,25", "3"],
            "x: looks like numbers with a decimal comma",
            {**CAST, "decimal": ","},
        ),
        (["1,200", "12,500,000"], "commas between the thousands", None),
        (["31.01.2024", "01.02.2024"], "x: looks like dates like 01.02.2024", _dates("%d.%m.%Y")),
        (["1/31/2024", "2/1/2024"], "x: looks like dates like 02/01/2024", _dates("%m/%d/%Y")),
        (["31/1/2024", "1/2/2024"], "x: looks like dates like 01/02/2024", _dates("%d/%m/%Y")),
        (["1/2/2024", "3/4/2024"], "nothing tells whether the day or the month", None),
        (["31.01.24", "01.02.24"], "x: looks like dates like 01.02.24", _dates("%d.%m.%y")),
        (["1/31/24", "2/1/24"], "x: looks like dates like 02/01/24", _dates("%m/%d/%y")),
        (["1/1/24", "12/1/24"], "nothing tells whether the day or the month", None),
        (["2024/01/31"], "x: looks like dates like 2024/02/01", _dates("%Y/%m/%d")),
        (
            ["2024-01-31"] * 19 + ["unknown"],
            "x: 1 of 20 values are not dates like 2024-02-01: 'unknown'",
            _dates("%Y-%m-%d"),
        ),
    ],
)
def test_column_that_is_nearly_something_else_is_named(
    tmp_path: Path, values: list[str | None], message: str, step: dict[str, Any] | None
) -> None:
    (doubt,) = doubts_of(tmp_path, [*values, None])
    assert message in doubt.message
    assert doubt.step == step


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"],
        ["01234", "99999"],
        ["1.2.3", "1.2.4"],
        ["3-2-1"],
        ["1", "2", "a"],
        [None, None],
        ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "x", "y"],
    ],
)
def test_text_and_codes_are_no_doubt(tmp_path: Path, values: list[str | None]) -> None:
    assert doubts_of(tmp_path, values) == []


def test_exceptions_at_the_end_count_as_those_at_the_beginning(tmp_path: Path) -> None:
    values: list[str | None] = [*["x"] * 10, *["1"] * 95]
    first, last = doubts_of(tmp_path, values), doubts_of(tmp_path, values[::-1])
    assert first == last
    assert first[0].values == 10
