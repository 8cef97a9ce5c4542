"""What changed between two versions of a table."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from backend.science.columns import describe_table
from backend.science.profiles.diff import ColumnChange, Side, TableDiff, compare_tables


def side(frame: pl.DataFrame, path: Path) -> Side:
    frame.write_parquet(path, row_group_size=300)
    return Side(path, describe_table(path))


def compared(before: pl.DataFrame, after: pl.DataFrame, folder: Path, **options: Any) -> TableDiff:
    return compare_tables(
        side(before, folder / "before.parquet"), side(after, folder / "after.parquet"), **options
    )


def changes(diff: TableDiff) -> dict[str, str]:
    return {column.name: column.change for column in diff.columns}


def the(diff: TableDiff, name: str) -> ColumnChange:
    return next(column for column in diff.columns if column.name == name)


def test_columns_that_came_went_and_changed_are_told(tmp_path: Path) -> None:
    before = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [1.5, 2.5, None]})
    after = pl.DataFrame({"new": [True, False, True], "c": [None, 1.5, 2.5], "a": [1.0, 2.0, 3.5]})
    diff = compared(before, after, tmp_path)
    assert changes(diff) == {"new": "added", "c": "same", "a": "changed", "b": "dropped"}
    assert (diff.rows_only_before, diff.rows_only_after) == (None, None)
    assert (the(diff, "a").distinct_before, the(diff, "a").distinct_after) == (3, 3)


@pytest.mark.parametrize("block_cells", [10**6, 800])
def test_shift_of_numbers_is_that_of_scipy(tmp_path: Path, block_cells: int) -> None:
    random = np.random.default_rng(0)
    old, new = random.normal(size=400), random.normal(1, 1, size=300)
    before, after = pl.DataFrame({"x": old}), pl.DataFrame({"x": new})
    found = the(compared(before, after, tmp_path, block_cells=block_cells), "x").shift
    assert found.distance == pytest.approx(ks_2samp(old, new).statistic)
    assert found.mean_before == pytest.approx(old.mean())
    assert found.mean_after == pytest.approx(new.mean())
    assert found.verdict is not None
    assert found.verdict.startswith("x: the values are higher (median ")


def test_shift_by_chance_has_no_verdict(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one, other = (
        pl.DataFrame({"x": random.normal(size=50), "c": random.choice(list("abcdefgh"), 50)})
        for _ in range(2)
    )
    diff = compared(one, other, tmp_path)
    assert [column.shift.verdict for column in diff.columns] == [None, None]
    assert [column.change for column in diff.columns] == ["changed", "changed"]


def test_categories_that_moved_came_and_went_are_named(tmp_path: Path) -> None:
    before = pl.DataFrame({"sex": ["male"] * 50 + ["female"] * 50, "k": ["a", "b"] * 50})
    after = pl.DataFrame({"sex": ["male"] * 20 + ["female"] * 80, "k": ["a", "c"] * 50})
    diff = compared(before, after, tmp_path)
    sex, kind = the(diff, "sex").shift, the(diff, "k").shift
    assert sex.distance == pytest.approx(0.3)
    assert sex.verdict == "sex: 20 % of the values are 'male', 50 % were before"
    assert (kind.added, kind.gone) == (["c"], ["b"])
    assert kind.distance == pytest.approx(0.5)
    assert kind.verdict == "k: new: 'c'; gone: 'b'"


def test_missing_values_that_came_are_told(tmp_path: Path) -> None:
    before = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    after = pl.DataFrame({"x": [1.0, None, None, 4.0]})
    shift = the(compared(before, after, tmp_path), "x").shift
    assert shift.verdict == "x: 50 % of the values are missing, 0 % were before"


ROWS = st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "", None])))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, ROWS)
def test_rows_of_one_version_alone_are_counted_with_repeats(
    tmp_path: Path, old: list[Any], new: list[Any]
) -> None:
    schema = {"n": pl.Int64, "t": pl.String}
    before, after = (pl.DataFrame(rows, schema=schema, orient="row") for rows in (old, new))
    diff = compared(before, after, tmp_path)
    only_old = sum(max(0, old.count(row) - new.count(row)) for row in set(old))
    only_new = sum(max(0, new.count(row) - old.count(row)) for row in set(new))
    assert (diff.rows_only_before, diff.rows_only_after) == (only_old, only_new)
    if only_old == only_new == 0:
        assert set(changes(diff).values()) == {"same"}
