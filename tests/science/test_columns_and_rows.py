"""Columns and their roles, the guessed target, and rows for predictions."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backend.science.columns import guess_target
from backend.science.rows import check_rows
from tests.science.tables import describe, read_text


def _roles(frame: pl.DataFrame) -> dict[str, str]:
    return {column.name: column.role for column in describe(frame)}


def test_roles_follow_the_values() -> None:
    count = 60
    frame = pl.DataFrame(
        {
            "row": range(1, count + 1),
            "user_id": [i * 37 % 1_009 for i in range(count)],
            "name": [f"person {i}" for i in range(count)],
            "note": [f"note {i % 40}" for i in range(count)],
            "group": ["a", "b", "c"] * 20,
            "flag": [True, False] * 30,
            "same": [1] * count,
            "empty": [None] * count,
            "amount": [i / 7 for i in range(count)],
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 2, 29), eager=True),
        }
    )
    assert _roles(frame) == {
        "row": "id",
        "user_id": "id",
        "name": "id",
        "note": "text",
        "group": "categorical",
        "flag": "boolean",
        "same": "constant",
        "empty": "constant",
        "amount": "numeric",
        "day": "datetime",
    }


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("a,b,c", ["1.5,2,x", "2.5,9,y", "3,4,x"], "b"),
        ("a,year", ["1.5,2001", "2.5,2002", "9,2003"], "a"),
        ("a,b", ["x,p", "y,q", "x,p"], "b"),
        ("a", ["1", "1", "1"], None),
        ("Class,b", ["x,1", "y,2", "x,3"], "Class"),
    ],
)
def test_target_is_named_like_one_or_the_last_number_that_is_no_year(
    tmp_path: Path, header: str, rows: list[str], expected: str | None
) -> None:
    guess = guess_target(describe(read_text(tmp_path, "\n".join([header, *rows]))))
    assert (guess and guess.column) == expected


COLUMNS = [{"name": "a", "type": "number"}, {"name": "b", "type": "string"}]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": 1, "b": "x"}, []),
        ({"a": None, "b": None}, []),
        ({"a": "abc", "c": 1}, [("a", "type"), ("b", "missing"), ("c", "unknown")]),
        ({"a": True, "b": 3}, [("a", "type"), ("b", "type")]),
        ({"a": 10**400, "b": "x"}, [("a", "type")]),
        ({"a": float("nan"), "b": "x"}, [("a", "type")]),
        ({"a": 1e300, "b": "x"}, [("a", "type")]),
    ],
)
def test_every_mistake_of_a_row_is_named_at_once(
    row: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert [(p.column, p.kind) for p in check_rows(COLUMNS, [row])] == expected
