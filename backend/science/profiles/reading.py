"""A typed Parquet file in parts that fit into memory, whatever its size.

Columns are taken in blocks, so that what is kept of each value (8 bytes) stays bounded and a wide
table does not have its metadata parsed for every column. A block is read in batches of whole row
groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

# Cells of one block: 8 bytes of each may be held at a time.
BLOCK_CELLS: Final = 25_000_000
BATCH_BYTES: Final = 48 << 20
# A column that is too long for that is described from a sample of this part of them.
SAMPLE_PART: Final = 1 / 8
# A text takes its bytes and a view of 16.
VIEW_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _RowGroup:
    rows: int
    # Estimated bytes in memory, by column.
    sizes: Sequence[int]


def sample_share(rows: int, most: int) -> float:
    """Share of a column's rows to keep where at most so many may be: all, or a sample."""
    return 1.0 if rows <= most else most * SAMPLE_PART / rows


class TableReader:
    """Reads the columns of one typed Parquet file, whose row groups are of moderate size.

    Attributes
    ----------
    rows
        Number of rows.
    schema
        Names and polars types.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        metadata = pq.read_metadata(path)
        self.rows: int = metadata.num_rows
        self.schema = pl.read_parquet_schema(path)
        self._places = {name: place for place, name in enumerate(self.schema)}
        self._nulls = _count_nulls(metadata)
        self._groups = [
            _row_group(metadata.row_group(number)) for number in range(metadata.num_row_groups)
        ]

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self.rows * len(self.schema)

    def nulls(self) -> dict[str, int]:
        """Missing values by column: from the file's statistics, else counted."""
        unknown = [name for name, place in self._places.items() if self._nulls[place] is None]
        counted = dict.fromkeys(unknown, 0)
        for batch in self.batches(unknown) if unknown else ():
            for series in batch.iter_columns():
                counted[series.name] += series.null_count()
        return {
            name: counted[name] if nulls is None else nulls
            for name, nulls in zip(self._places, self._nulls, strict=True)
        }

    def blocks(
        self, names: Sequence[str] | None = None, *, cells: int = BLOCK_CELLS
    ) -> Iterator[list[str]]:
        """Columns, else all, of together at most so many cells; a long column goes alone."""
        names = list(self.schema) if names is None else list(names)
        width = max(1, cells // max(1, self.rows))
        for start in range(0, len(names), width):
            yield names[start : start + width]

    def batches(self, names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of these columns in file order, some row groups at a time."""
        table = pl.scan_parquet(self._path).select(names)
        for start, rows in self._spans(names):
            yield table.slice(start, rows).collect()

    def _spans(self, names: Sequence[str]) -> Iterator[tuple[int, int]]:
        places = [self._places[name] for name in names]
        start = rows = size = 0
        for group in self._groups:
            needs = sum(group.sizes[place] for place in places)
            if rows and size + needs > BATCH_BYTES:
                yield start, rows
                start, rows, size = start + rows, 0, 0
            rows, size = rows + group.rows, size + needs
        if rows:
            yield start, rows


def _row_group(group: pq.RowGroupMetaData) -> _RowGroup:
    columns = (group.column(place) for place in range(group.num_columns))
    rows = group.num_rows
    sizes = [max(int(c.total_uncompressed_size), 0) + VIEW_BYTES * rows for c in columns]
    return _RowGroup(rows=rows, sizes=sizes)


def _count_nulls(metadata: pq.FileMetaData) -> list[int | None]:
    """Nulls of each column as the row groups' statistics have them."""
    totals: list[int | None] = [0] * metadata.num_columns
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place, total in enumerate(totals):
            known = group.column(place).statistics
            has = known is not None and known.has_null_count
            totals[place] = total + known.null_count if has and total is not None else None
    return totals
