"""Descriptions of columns: given roles, and tables that are too large to count everything."""

from pathlib import Path

import polars as pl

from backend.science.columns import COUNTED_CELLS, describe_table


def test_role_that_somebody_gave_is_kept_and_said(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    frame = {"n": [1, 2, 3] * 20, "name": [f"p{i}" for i in range(60)], "same": ["x"] * 60}
    pl.DataFrame(frame).write_parquet(path)
    given = {"n": "id", "name": "categorical", "same": "categorical"}
    described = {c.name: c for c in describe_table(path, given)}  # type: ignore[arg-type]  # a name is a role
    assert {name: (one.role, one.role_given) for name, one in described.items()} == {
        "n": ("id", True),
        "name": ("categorical", True),
        "same": ("categorical", True),
    }
    assert described["n"].left_out_because == "somebody gave it the role id"
    assert described["name"].left_out_because is None
    # Whatever it is called, it says nothing.
    assert described["same"].left_out_because == "the same value in every row"
    assert not any(one.role_given for one in describe_table(path))


def test_numbers_with_many_values_of_a_large_table_are_counted_later(tmp_path: Path) -> None:
    rows = COUNTED_CELLS // 4 + 1
    path = tmp_path / "table.parquet"
    numbers = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {
            "row": numbers,
            "x": numbers.cast(pl.Float64) / 7,
            "few": numbers % 3,
            "text": (numbers % 5_000).cast(pl.String),
            "none": pl.Series([None] * rows, dtype=pl.Int64),
        }
    )
    frame.write_parquet(path, row_group_size=100_000)
    described = {c.name: (c.role, c.distinct, c.nulls) for c in describe_table(path)}
    assert described == {
        "row": ("id", rows, 0),
        "x": ("numeric", None, 0),
        "few": ("numeric", 3, 0),
        "text": ("text", 5_000, 0),
        "none": ("constant", 0, rows),
    }
