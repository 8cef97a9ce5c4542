"""What changed from one version of a table to another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from backend.science.column_types import ColumnDescription
from backend.science.profiles.keys import Keys, starts_of_runs
from backend.science.profiles.reading import BLOCK_CELLS, TableReader, sample_share
from backend.science.profiles.shifts import ColumnValues, Shift, find_shift

NUMBERS: Final = ("integer", "number")
TIMES: Final = ("date", "datetime")
# Of both versions together; the rows of longer tables are not compared one by one.
MOST_ROWS_COMPARED: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions."""

    path: Path
    columns: Sequence[ColumnDescription]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column in two versions; None where it is in only one."""

    name: str
    change: Literal["added", "dropped", "changed", "same"]
    before: ColumnDescription | None
    after: ColumnDescription | None
    distinct_before: int | None = None
    distinct_after: int | None = None
    shift: Shift = field(default_factory=Shift)


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What changed; rows that only one side has are None where they cannot be compared."""

    columns: list[ColumnChange]
    rows_only_before: int | None
    rows_only_after: int | None


def compare_tables(before: Side, after: Side, *, block_cells: int = BLOCK_CELLS) -> TableDiff:
    """Compare two versions of a table, column by column and row by row.

    Parameters
    ----------
    before, after
        Typed Parquet files with the descriptions of their columns.
    block_cells
        Values of both that may be kept at a time.

    Returns
    -------
    TableDiff
        The columns of the later one in its order, then those that are gone.
    """
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in after.columns}
    readers = TableReader(before.path), TableReader(after.path)
    common = [name for name in new if name in old]
    changed = dict(_compare_columns(readers, common, old, new, block_cells))
    added = {name: ColumnChange(name, "added", None, new[name]) for name in new if name not in old}
    gone = [ColumnChange(name, "dropped", old[name], None) for name in old if name not in new]
    ordered = [changed[name] if name in changed else added[name] for name in new]
    is_same_shape = {n: c.type for n, c in old.items()} == {n: c.type for n, c in new.items()}
    rows = _compare_rows(readers, list(new)) if is_same_shape else None
    return TableDiff([*ordered, *gone], *(rows or (None, None)))


def _compare_columns(
    readers: tuple[TableReader, TableReader],
    names: Sequence[str],
    old: Mapping[str, ColumnDescription],
    new: Mapping[str, ColumnDescription],
    block_cells: int,
) -> Iterator[tuple[str, ColumnChange]]:
    longer = max(readers, key=lambda reader: reader.rows)
    for block in longer.blocks(names, cells=block_cells // 2):
        values = [
            _gather(reader, block, described, block_cells // 2)
            for reader, described in zip(readers, (old, new), strict=True)
        ]
        for name in block:
            yield name, _compare(old[name], new[name], values[0][name], values[1][name])


def _gather(
    reader: TableReader, names: Sequence[str], described: Mapping[str, ColumnDescription], most: int
) -> dict[str, ColumnValues]:
    share = sample_share(reader.rows, most)
    gathered = {
        name: ColumnValues(is_number=described[name].type in NUMBERS + TIMES, share=share)
        for name in names
    }
    for batch in reader.batches(names):
        for series in batch.iter_columns():
            gathered[series.name].add(series)
    return gathered


def _compare(
    old: ColumnDescription, new: ColumnDescription, before: ColumnValues, after: ColumnValues
) -> ColumnChange:
    is_comparable = old.type == new.type or {old.type, new.type} <= set(NUMBERS)
    shift = Shift()
    if is_comparable:
        shift = find_shift(new.name, before, after, is_time=new.type in TIMES)
    is_same = (
        (old.type, old.role) == (new.type, new.role)
        and (before.rows, before.present) == (after.rows, after.present)
        and before.fingerprint == after.fingerprint
    )
    return ColumnChange(
        name=new.name,
        change="same" if is_same else "changed",
        before=old,
        after=new,
        distinct_before=before.distinct(),
        distinct_after=after.distinct(),
        shift=shift,
    )


def _compare_rows(
    readers: tuple[TableReader, TableReader], names: Sequence[str]
) -> tuple[int, int] | None:
    """Rows that one has more often than the other; whole rows, in whatever order."""
    if sum(reader.rows for reader in readers) > MOST_ROWS_COMPARED:
        return None
    (old, old_counts), (new, new_counts) = (_count_rows(reader, names) for reader in readers)
    keys = np.concatenate([old, new])
    order = np.argsort(keys, kind="stable")
    starts = starts_of_runs(keys[order])
    counts = np.concatenate([old_counts, -new_counts])[order]
    more = np.add.reduceat(counts, np.flatnonzero(starts)) if len(counts) else counts
    return int(more[more > 0].sum()), int(-more[more < 0].sum())


def _count_rows(reader: TableReader, names: Sequence[str]) -> tuple[Keys, Keys]:
    """Keys of the different rows, and how often each occurs."""
    parts = [batch.hash_rows().to_numpy() for batch in reader.batches(names)]
    keys = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
    keys.sort()
    starts = np.flatnonzero(starts_of_runs(keys))
    return keys[starts], np.diff(starts, append=len(keys))
