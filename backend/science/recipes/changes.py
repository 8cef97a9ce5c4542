"""The first rows that a step changed, dropped or added, for a person to look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import polars as pl

Cell = int | float | bool | str | None
MOST_CHANGES: Final = 5
MOST_CELLS: Final = 50
LONGEST_CELL: Final = 200
# No column is called so: names of columns hold no U+0000.
ROW: Final = "\0row"


@dataclass(frozen=True, slots=True)
class ChangedCells:
    """One row before and after a step, only the columns that differ.

    Attributes
    ----------
    row
        Counted from 0 in the table before the step, or after it for an added row.
    """

    row: int
    kind: Literal["changed", "dropped", "added"]
    before: dict[str, Cell]
    after: dict[str, Cell]


def changed_in_place(before: pl.DataFrame, after: pl.DataFrame) -> list[ChangedCells]:
    """Rows of two tables of equal height that differ; new columns differ in each row."""
    names = [name for name in after.columns if _differs(before, after, name)]
    if not names:
        return []
    changed = pl.DataFrame({str(at): _changed(before, after, n) for at, n in enumerate(names)})
    rows = changed.select(pl.any_horizontal(pl.all())).to_series().arg_true()[:MOST_CHANGES]
    found: list[ChangedCells] = []
    for row in rows:
        here = [name for at, name in enumerate(names) if changed[row, at]][:MOST_CELLS]
        there = [name for name in here if name in before.columns]
        found.append(
            ChangedCells(row, "changed", _cells(before, row, there), _cells(after, row, here))
        )
    return found


def _differs(before: pl.DataFrame, after: pl.DataFrame, name: str) -> bool:
    return name not in before.columns or not before[name].equals(
        after[name], check_dtypes=True, null_equal=True
    )


def _changed(before: pl.DataFrame, after: pl.DataFrame, name: str) -> pl.Series:
    """Which values differ; a value that another type can hold as it is does not."""
    new = after[name]
    if name not in before.columns:
        return new.is_not_null()
    old = before[name]
    lost = old.is_null() != new.is_null()
    if old.dtype == new.dtype:
        return lost | old.ne_missing(new)
    looks_other = old.cast(pl.String).ne_missing(new.cast(pl.String))
    try:
        return lost | (looks_other & old.cast(new.dtype, strict=False).ne_missing(new))
    except pl.exceptions.InvalidOperationError:
        return lost | looks_other


def tracked_changes(before: pl.DataFrame, tracked: pl.DataFrame) -> list[ChangedCells]:
    """What became of rows whose numbers were carried along in the column `ROW`."""
    kept = tracked[ROW]
    numbers = pl.int_range(before.height, dtype=pl.UInt32, eager=True)
    dropped = (~numbers.is_in(kept.implode())).arg_true()[:MOST_CHANGES]
    found = [
        ChangedCells(row, "dropped", _cells(before, row, before.columns[:MOST_CELLS]), {})
        for row in dropped
    ]
    repeated = (~kept.is_first_distinct()).arg_true()[: MOST_CHANGES - len(found)]
    shown = [name for name in tracked.columns if name != ROW][:MOST_CELLS]
    found += [ChangedCells(row, "added", {}, _cells(tracked, row, shown)) for row in repeated]
    new = [name for name in tracked.columns if name not in before.columns and name != ROW]
    if new:
        for row in range(min(MOST_CHANGES - len(found), tracked.height)):
            after = _cells(tracked, row, new[:MOST_CELLS])
            found.append(ChangedCells(int(kept[row]), "changed", {}, after))
    return found


def _cells(frame: pl.DataFrame, row: int, names: Sequence[str]) -> dict[str, Cell]:
    return {name: _cell(frame[name][row]) for name in names}


def _cell(value: object) -> Cell:
    """What JSON can hold."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= LONGEST_CELL else f"{value[:LONGEST_CELL]}…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | bool) else None
