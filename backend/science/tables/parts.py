"""A typed table that comes in parts, on disk until the type of each column is known."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from backend.science.column_names import clean_name, find_bad_name
from backend.science.tables.inference import (
    DTYPES,
    INSTANT_FORMATS,
    Candidates,
    Kind,
    as_kind,
    narrow,
)
from backend.science.tables.table_file import ReadLimits, Report, TableFile, TableSource, silent
from backend.science.tables.writing import write_frames
from backend.science.text_check import TableProblem

INSTANT: Final = pa.timestamp("us")
# What a text is looked at for where the file tells numbers and booleans from text.
DATES: Final = Candidates(frozenset[Kind]({"date", *INSTANT_FORMATS}))
# A value of a table takes at least about this much where it is not a run of equal ones.
BYTES_PER_VALUE: Final = 4
KEPT_AS: Final[Mapping[pa.DataType, pl.DataType]] = {
    pa.bool_(): pl.Boolean(),
    pa.int64(): pl.Int64(),
    pa.float64(): pl.Float64(),
    pa.date32(): pl.Date(),
    INSTANT: pl.Datetime("us"),
}
# What Python and JSON can show of a date: the years 1 to 9999, in days and microseconds.
DAYS: Final = (-719_162, 2_932_896)
MICROSECONDS: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
JOINED: Final[Mapping[frozenset[pa.DataType], pl.DataType]] = {
    frozenset({pa.int64(), pa.float64()}): pl.Float64(),
    frozenset({pa.date32(), INSTANT}): pl.Datetime("us"),
}


def check_names(raw: Sequence[str], limits: ReadLimits, place: str = "") -> list[str]:
    """The names as they are kept.

    Parameters
    ----------
    raw
        As they stand in the file, in order.
    limits
        Bound on their number.
    place
        Begins the message.

    Raises
    ------
    TableProblem
        Too many, empty, equal or unstorable names, or none.
    """
    if not raw:
        raise no_columns()
    if len(raw) > limits.max_columns:
        raise TableProblem(f"{place}{len(raw):,} columns, at most {limits.max_columns:,}.")
    names = [clean_name(name) for name in raw]
    for position, name in enumerate(names, start=1):
        if "\x00" in name:
            raise TableProblem(f"{place}The name of column {position:,} contains U+0000.")
        try:
            name.encode()
        except UnicodeEncodeError:
            message = f"{place}The name of column {position:,} contains an unpaired surrogate."
            raise TableProblem(message) from None
    if (bad := find_bad_name(names)) is not None:
        position, message = bad
        message = message[0].upper() + message[1:]
        raise TableProblem(f"{place}{message}.", column=names[position][:100] or None)
    return names


def no_columns() -> TableProblem:
    """For a table without any."""
    return TableProblem("The table has no columns.")


def no_rows() -> TableProblem:
    """For a table without any."""
    return TableProblem("The table has columns but no rows.")


def check_values(rows: int, columns: int, limits: ReadLimits) -> None:
    """Bound what takes no bytes, such as a billion missing values.

    Raises
    ------
    TableProblem
        There are too many.
    """
    most = limits.max_inflated_bytes // BYTES_PER_VALUE
    if rows * columns > most:
        raise TableProblem(f"{rows:,} rows of {columns:,} columns are more than {most:,} values.")


@dataclass(slots=True)
class _Column:
    """What is known of a column so far."""

    texts: Candidates
    types: set[pa.DataType] = field(default_factory=set)

    @property
    def type(self) -> pl.DataType:
        """The one type that holds all parts."""
        if len(self.types) > 1:
            return pl.String() if self._is_text else JOINED[frozenset(self.types)]
        if self._is_text or not self.types:
            return DTYPES[self.texts.kind]
        return KEPT_AS[next(iter(self.types))]

    @property
    def _is_text(self) -> bool:
        return pa.string() in self.types

    def warning(self) -> str | None:
        """What is to be said about the type."""
        if self._is_text or not self.types:
            return self.texts.warning()
        return None


class TableParts:
    """Takes columns of int64, float64, bool, string, date32, timestamp (us) or null, part by part.

    Whole and other numbers may alternate from part to part, so may dates and instants, and dates
    and text; a column may be missing in a part.

    Parameters
    ----------
    folder
        Where a temporary folder may be made.
    limits
        Bounds on the table.
    texts
        What a column of text may be besides text: by default dates, where every value is in
        ISO 8601.
    place
        What a line of the file is called in messages.
    """

    def __init__(
        self, folder: Path, limits: ReadLimits, texts: Candidates = DATES, place: str = "Line"
    ) -> None:
        self.rows = 0
        self.warnings: list[str] = []
        self._limits = limits
        self._texts = texts
        self._place = place
        self._columns: dict[str, _Column] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="parts-", dir=folder)
        # With their rows: a part without columns has some as well.
        self._parts: list[tuple[Path, int]] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def names(self) -> list[str]:
        """Columns in the order of their first appearance."""
        return list(self._columns)

    def warn(self, text: str) -> None:
        """Remember a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def add(
        self, columns: Mapping[str, pa.Array], rows: int, lines: Sequence[int] | None = None
    ) -> None:
        """Check and keep the next rows.

        Parameters
        ----------
        columns
            Arrays of n values by name.
        rows
            n.
        lines
            1-based line of each row, where the file has lines.

        Raises
        ------
        TableProblem
            A text or a date that cannot be stored, or a table that is too large.
        """

        def problem(column: str, row: int, message: str) -> TableProblem:
            """The problem at one row, with its line where there is one."""
            line = None if lines is None else lines[row]
            place = f"Row {self.rows + row + 1:,}" if line is None else f"{self._place} {line:,}"
            return TableProblem(f"{place}: {column}: {message}.", line=line, column=column)

        kept: dict[str, pa.Array] = {}
        for name, values in columns.items():
            column = self._columns.setdefault(name, _Column(self._texts))
            try:
                kept[name] = _checked(values, column, self._limits.max_cell_bytes)
            except _BadValue as bad:
                raise problem(name, bad.row, str(bad)) from None
        self._keep(pa.table(kept), rows)

    def _keep(self, table: pa.Table, rows: int) -> None:
        check_values(self.rows + rows, len(self._columns), self._limits)
        self._bytes += table.nbytes
        if self._bytes > self._limits.max_inflated_bytes:
            most = self._limits.max_inflated_bytes
            raise TableProblem(f"The table holds more than {most:,} bytes.")
        path = Path(self._folder.name) / str(len(self._parts))
        with pa.ipc.new_file(path, table.schema, options=_LZ4) as writer:
            writer.write_table(table)
        self._parts.append((path, rows))
        self.rows += rows

    def write(self, target: Path, source: TableSource | None, report: Report = silent) -> TableFile:
        """All parts as one typed Parquet file.

        Parameters
        ----------
        target
            The file to write.
        source
            How the parts were read.
        report
            Told what is done, from half of the work on.

        Raises
        ------
        TableProblem
            There are no rows.
        """
        if not self.rows:
            raise no_rows()
        if not self._columns:
            raise no_columns()
        schema = pl.Schema({name: column.type for name, column in self._columns.items()})
        for name, column in self._columns.items():
            if (warning := column.warning()) is not None:
                self.warn(f"{name}: {warning}")
        written = write_frames(schema, self._typed(schema, report), target)
        return TableFile(
            path=target,
            rows=self.rows,
            names=self.names,
            content_digest=written.content_digest,
            source=source,
            warnings=[*self.warnings, *written.warnings()],
        )

    def _typed(self, schema: pl.Schema, report: Report) -> Iterator[pl.DataFrame]:
        for number, (path, rows) in enumerate(self._parts, start=1):
            table = _read_part(path)
            path.unlink()
            columns = [
                self._typed_column(table, rows, name, kind).alias(name)
                for name, kind in schema.items()
            ]
            yield pl.DataFrame(columns)
            report(0.5 + 0.5 * number / len(self._parts), "Writing")

    def _typed_column(self, table: pa.Table, rows: int, name: str, kind: pl.DataType) -> pl.Series:
        if name not in table.column_names:
            return pl.repeat(None, rows, dtype=kind, eager=True)
        values = _series(table.column(name))
        if values.dtype == pl.String != kind:
            return as_kind(values, self._columns[name].texts.kind)
        # Whole numbers beyond 2^53 lose digits where the column holds others as well.
        return values.cast(kind)


_LZ4: Final = pa.ipc.IpcWriteOptions(compression="lz4")


def _read_part(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


class _BadValue(ValueError):
    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def _checked(values: pa.Array, column: _Column, max_cell_bytes: int) -> pa.Array:
    """Values as they are kept: no NaN, no empty text; the column learns their type."""
    kind = values.type
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    elif pa.types.is_string(kind):
        values = _checked_text(values, column, max_cell_bytes)
    elif pa.types.is_date32(kind):
        _check_range(values.view(pa.int32()), DAYS)
    elif pa.types.is_timestamp(kind):
        _check_range(values.view(pa.int64()), MICROSECONDS)
    if values.null_count < len(values):
        column.types.add(kind)
    return values


def _checked_text(values: pa.Array, column: _Column, max_cell_bytes: int) -> pa.Array:
    lengths = pc.binary_length(values)
    if (longest := pc.max(lengths).as_py() or 0) > max_cell_bytes:
        row = pc.index(lengths, pa.scalar(longest, lengths.type)).as_py()
        raise _BadValue(row, f"the text is longer than {max_cell_bytes:,} bytes")
    nul = pc.index(pc.match_substring(values, "\x00"), pa.scalar(True)).as_py()
    if nul >= 0:
        raise _BadValue(nul, "the text contains the character U+0000")
    if pc.min(lengths).as_py() == 0:
        values = pc.if_else(pc.equal(lengths, 0), pa.scalar(None, values.type), values)
    if column.texts.kinds:
        column.texts = narrow(_series(values), column.texts)
    return values


def _series(values: pa.Array | pa.ChunkedArray) -> pl.Series:
    series = pl.from_arrow(values)
    if not isinstance(series, pl.Series):
        raise TypeError("a column came back as a table")
    return series


def _check_range(values: pa.Array, bounds: tuple[int, int]) -> None:
    extremes = pc.min_max(values)
    for value in (extremes["min"].as_py(), extremes["max"].as_py()):
        if value is not None and not bounds[0] <= value <= bounds[1]:
            row = pc.index(values, pa.scalar(value, values.type)).as_py()
            raise _BadValue(row, "the date is outside of the years 1 to 9999")
