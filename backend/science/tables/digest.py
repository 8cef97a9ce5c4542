"""A table's fingerprint: of names and values, not of the file they came in.

Whole numbers count as the float64 they are equal to, a date as its midnight, and nothing tells one
missing value from another. So a table has one digest as CSV, Parquet, Excel, JSON or Feather.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

# Up to here float64 holds every whole number.
LARGEST_EXACT: Final = 2**53
NO_INSTANT: Final = -(2**63)


class TableDigest:
    """The digest of a typed table that passes in parts."""

    def __init__(self, schema: pl.Schema) -> None:
        self._columns = [_ColumnDigest(dtype) for dtype in schema.values()]
        self._names = list(schema)
        self._rows = 0

    def update(self, frame: pl.DataFrame) -> None:
        """Take the next rows; where they are cut does not matter."""
        self._rows += frame.height
        for column, series in zip(self._columns, frame.iter_columns(), strict=True):
            column.update(series)

    def hexdigest(self, path: Path) -> str:
        """The digest of all rows.

        Parameters
        ----------
        path
            The same table as typed Parquet: columns of large whole numbers are read again.
        """
        large = [i for i, column in enumerate(self._columns) if column.large]
        for position in large:
            self._columns[position] = _LargeIntegers()
        if large:
            names = [self._names[i] for i in large]
            for frame in row_groups(path, names):
                for position, name in zip(large, names, strict=True):
                    self._columns[position].update(frame[name])
        whole = hashlib.sha256(f"{self._rows}\n".encode())
        for name, column in zip(self._names, self._columns, strict=True):
            whole.update(f"{name}\0{column.outcome()}\n".encode())
        return whole.hexdigest()


def content_digest(path: Path) -> str:
    """The digest of a typed Parquet file, in memory for one of its row groups.

    Parameters
    ----------
    path
        As `TableFile.path` describes it.
    """
    digest = TableDigest(pl.Schema(pl.read_parquet_schema(path)))
    for frame in row_groups(path):
        digest.update(frame)
    return digest.hexdigest(path)


def row_groups(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """The parts of a Parquet file, in order, at most one row group at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            frame = pl.from_arrow(file.read_row_group(group, columns=columns))
            if not isinstance(frame, pl.DataFrame):
                raise TypeError("a table came back as one column")
            yield frame


class _ColumnDigest:
    """Values of one column; missing ones have a place and no value."""

    def __init__(self, dtype: pl.DataType) -> None:
        self._values = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._present = 0
        self._is_text = dtype == pl.String
        self._kind = _kind(dtype)
        self.large = False

    def update(self, series: pl.Series) -> None:
        """Take the next values of the column."""
        self._present += len(series) - series.null_count()
        if self.large:
            return
        if self._is_text:
            self._take_text(series)
        elif self._kind == "time":
            instants = series.cast(pl.Datetime("us")).cast(pl.Int64)
            self._take(instants.fill_null(NO_INSTANT).to_numpy())
        elif self._kind == "boolean":
            self._take(series.cast(pl.UInt8).fill_null(2).to_numpy())
        else:
            self.large = series.dtype == pl.Int64 and _beyond_float64(series)
            # Adding zero makes -0.0 the zero that it is equal to.
            self._take(series.cast(pl.Float64).fill_null(np.nan).to_numpy() + 0.0)

    def _take(self, values: np.ndarray) -> None:
        self._values.update(np.ascontiguousarray(values).data)

    def _take_text(self, series: pl.Series) -> None:
        lengths = series.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy()
        self._lengths.update(np.ascontiguousarray(lengths).data)
        self._values.update(_bytes_of(series.drop_nulls()))

    def outcome(self) -> str:
        """What the column is and holds; without any value its type does not matter."""
        if not self._present:
            return "missing"
        return f"{self._kind} {self._lengths.hexdigest()} {self._values.hexdigest()}"


class _LargeIntegers(_ColumnDigest):
    """Whole numbers of which float64 would make equals."""

    def __init__(self) -> None:
        super().__init__(pl.Int64())
        self._kind = "integer"

    def update(self, series: pl.Series) -> None:
        """Take the next values of the column."""
        self._present += len(series) - series.null_count()
        self._take(series.fill_null(0).to_numpy())
        self._lengths.update(np.ascontiguousarray(series.is_null().to_numpy()).data)


def _bytes_of(present: pl.Series) -> memoryview:
    """The UTF-8 of all texts, one after the other."""
    array = present.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = array.buffers()
    if content is None:
        return memoryview(b"")
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return memoryview(content)[ends[0] : ends[-1]]


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return "text"
    if dtype == pl.Boolean:
        return "boolean"
    return "time" if dtype.is_temporal() else "number"


def _beyond_float64(series: pl.Series) -> bool:
    low, high = series.min(), series.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return False
    return low < -LARGEST_EXACT or high > LARGEST_EXACT
