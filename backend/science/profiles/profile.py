"""The profile of a stored table: every column's statistics, in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.science.column_types import ColumnDescription
from backend.science.profiles.findings import find_problems
from backend.science.profiles.keys import starts_of_runs
from backend.science.profiles.numbers import NumberColumn
from backend.science.profiles.reading import BLOCK_CELLS, TableReader
from backend.science.profiles.statistics import ColumnStatistics
from backend.science.profiles.texts import BooleanColumn, TextColumn
from backend.science.tables.table_file import Report, silent

# A row takes 8 bytes while copies are counted; in a longer table they are not.
MOST_ROWS_COMPARED: Final = 40_000_000
_Column = NumberColumn | TextColumn | BooleanColumn


@dataclass(frozen=True, slots=True)
class TableProfile:
    """Statistics and findings by column, and how many rows are copies of an earlier one."""

    columns: list[dict[str, Any]]
    duplicate_rows: int | None


def profile_table(
    path: Path,
    columns: Sequence[ColumnDescription],
    report: Report = silent,
    *,
    block_cells: int = BLOCK_CELLS,
) -> TableProfile:
    """Compute what a profile says about each column of a typed table.

    Parameters
    ----------
    path
        Typed Parquet file.
    columns
        Its columns as `columns.describe_table` described them.
    report
        Told the share of the work that is done.
    block_cells
        Values that may be kept at a time. A longer column is described from a sample, and says so.

    Returns
    -------
    TableProfile
        With a dictionary of JSON values for each column.
    """
    reader = TableReader(path)
    described = {column.name: column for column in columns}
    found: list[dict[str, Any]] = []
    for names in reader.blocks(cells=block_cells):
        report(len(found) / (len(columns) + 1), f"Columns {len(found) + 1} to {len(columns)}")
        for name, statistics in _profile_block(reader, names, described, block_cells):
            found.append(_as_stored(described[name], statistics, reader.rows))
            report(len(found) / (len(columns) + 1), f"{len(found)} of {len(columns)} columns")
    return TableProfile(found, _count_copies(reader))


def _profile_block(
    reader: TableReader,
    names: Sequence[str],
    described: dict[str, ColumnDescription],
    most: int,
) -> Iterator[tuple[str, ColumnStatistics]]:
    gathered = {name: _column(described[name], reader.rows, most) for name in names}
    for batch in reader.batches(names):
        for series in batch.iter_columns():
            gathered[series.name].add(series)
    texts = {name: column for name, column in gathered.items() if isinstance(column, TextColumn)}
    for text in texts.values():
        text.rank()
    _find_texts(reader, texts)
    for name, column in gathered.items():
        yield name, column.statistics()


def _column(described: ColumnDescription, rows: int, most: int) -> _Column:
    if described.type == "boolean":
        return BooleanColumn()
    if described.type in ("integer", "number", "date", "datetime"):
        return NumberColumn(described.type, rows, most)
    return TextColumn(rows, most)


def _find_texts(reader: TableReader, texts: dict[str, TextColumn]) -> None:
    open_ones = list(texts)
    if not open_ones:
        return
    for batch in reader.batches(open_ones):
        for series in batch.select(open_ones).iter_columns():
            texts[series.name].look(series)
        open_ones = [name for name in open_ones if not texts[name].is_done]
        if not open_ones:
            return


def _as_stored(
    column: ColumnDescription, statistics: ColumnStatistics, rows: int
) -> dict[str, Any]:
    """As `profile_schemas.ColumnOut` has them, without what the description says."""
    stored = asdict(statistics)
    for name in ("present", "outliers"):
        stored.pop(name)
    stored |= {"min": stored.pop("minimum"), "max": stored.pop("maximum")}
    warnings = [asdict(finding) for finding in find_problems(column, statistics, rows)]
    return {"name": column.name, **stored, "warnings": warnings}


def _count_copies(reader: TableReader) -> int | None:
    """Rows that are equal to an earlier one."""
    if reader.rows > MOST_ROWS_COMPARED:
        return None
    keys = np.empty(reader.rows, dtype=np.uint64)
    start = 0
    for batch in reader.batches(list(reader.schema)):
        keys[start : start + batch.height] = batch.hash_rows().to_numpy()
        start += batch.height
    keys.sort()
    return len(keys) - int(np.count_nonzero(starts_of_runs(keys)))
