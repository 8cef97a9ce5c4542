"""CSV text to a typed table: strict about shape, with types inferred over the whole file.

Two passes: Python's csv reader finds each malformed record with its line number; polars then
types whole columns. A value that keeps a column from being numeric is reported, not guessed away.
"""

import csv
import hashlib
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from backend.science.column_names import clean_name, find_bad_name
from backend.science.text_check import TableProblem

DELIMITERS: Final = (",", "\t", ";", "|")
# What the common tools write for "missing"; anything else is a value.
NULL_TEXTS: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
DATETIME_FORMATS: Final = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
)
# From this share of numeric values on, the rest looks like a mistake and not like text.
MOSTLY_NUMERIC: Final = 0.9
DECIMAL_COMMA: Final = r"^[+-]?\d+,\d+$"
SHOWN_EXAMPLES: Final = 3
# A record must fit into one block.
BLOCK_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class TableLimits:
    """Bounds on the shape of a file."""

    max_columns: int
    max_cell_bytes: int


@dataclass(frozen=True, slots=True)
class TypedTable:
    """A typed table and what was doubtful about its values."""

    frame: pl.DataFrame
    warnings: list[str]
    delimiter: str


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table whose cells are text as they stand in the file; missing values are null."""

    frame: pl.DataFrame
    delimiter: str


def read_text_table(path: Path, limits: TableLimits) -> TextTable:
    """Read a UTF-8 CSV file with a header line, without guessing types.

    Parameters
    ----------
    path
        File whose bytes passed `TextCheck`; a byte-order mark is allowed.
    limits
        Bounds on columns and cells.

    Raises
    ------
    TableProblem
        Empty file, header only, ragged rows, duplicate, empty or too many columns, broken quotes.
    """
    delimiter = _find_delimiter(path)
    raw_header, rows = _check_shape(path, delimiter, limits)
    text = _read_text(path, delimiter, raw_header)
    if text.height != rows:
        raise TableProblem(
            f"The file could be read as {rows:,} or as {text.height:,} rows. Check its quotes."
        )
    text.columns = [clean_name(name) for name in raw_header]
    return TextTable(text, delimiter)


def read_csv(path: Path, limits: TableLimits) -> TypedTable:
    """Read a UTF-8 CSV file with a header line, each column as the narrowest type that holds it.

    Parameters
    ----------
    path, limits
        As for `read_text_table`.

    Raises
    ------
    TableProblem
        As in `read_text_table`.
    """
    text = read_text_table(path, limits)
    warnings: list[str] = []
    columns = [_infer(series, warnings) for series in text.frame.iter_columns()]
    return TypedTable(pl.DataFrame(columns), warnings, text.delimiter)


def line_of_row(path: Path, delimiter: str, row: int) -> int:
    """The line on which a row of a readable file ends.

    Parameters
    ----------
    path, delimiter
        A file that `read_text_table` read.
    row
        Counted from 0, without the header.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(itertools.islice(_records(file, delimiter), row + 1, None))[0]


def _find_delimiter(path: Path) -> str:
    """The separator that the header line uses most, outside quotes."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    unquoted = "".join(line.split('"')[::2])
    counts = [unquoted.count(delimiter) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _records(file: io.TextIOBase, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which each ends; blank lines are no records."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = reader.line_num
            raise TableProblem(f"Line {line:,}: {error}.", line=line) from None
        if record:
            yield reader.line_num, record


def _check_shape(path: Path, delimiter: str, limits: TableLimits) -> tuple[list[str], int]:
    csv.field_size_limit(limits.max_cell_bytes)
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = _records(file, delimiter)
        line, raw_header = next(records, (1, []))
        if not raw_header:
            raise TableProblem("The file is empty.", line=1)
        _check_header(raw_header, line, limits.max_columns)
        rows = 0
        for line, record in records:
            if len(record) != len(raw_header):
                raise TableProblem(
                    f"Line {line:,} has {_count(len(record), 'field')}, "
                    f"expected {len(raw_header):,}.",
                    line=line,
                )
            rows += 1
    if rows == 0:
        raise TableProblem("The file has a header but no rows.", line=line)
    return raw_header, rows


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _check_header(raw: list[str], line: int, max_columns: int) -> None:
    if len(raw) > max_columns:
        raise TableProblem(f"{len(raw):,} columns, at most {max_columns:,}.", line=line)
    names = [clean_name(name) for name in raw]
    if (bad := find_bad_name(names)) is not None:
        position, message = bad
        raise TableProblem(f"Line {line:,}: {message}.", line=line, column=names[position] or None)


def _read_text(path: Path, delimiter: str, raw_header: list[str]) -> pl.DataFrame:
    """All cells as text, blank lines left out, missing values as null."""
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(raw_header, pa.string()),
                null_values=list(NULL_TEXTS),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise TableProblem(f"The file could not be read: {error}.") from None
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a table came back as one column")
    return frame


def _infer(text: pl.Series, warnings: list[str]) -> pl.Series:
    """The narrowest type that holds every value of the column."""
    if text.null_count() == len(text):
        warnings.append(f"{text.name}: the column is empty")
        return text
    trimmed = text.str.strip_chars()
    trimmed = trimmed.set(trimmed.is_in(list(NULL_TEXTS)), None)
    lowered = trimmed.str.to_lowercase()
    if lowered.drop_nulls().is_in(["true", "false"]).all():
        return lowered == "true"
    if _written_as_code(trimmed):
        return text
    numbers = trimmed.cast(pl.Float64, strict=False)
    if numbers.null_count() == trimmed.null_count():
        whole = trimmed.cast(pl.Int64, strict=False)
        if whole.null_count() == trimmed.null_count():
            return whole
        if trimmed.drop_nulls().str.contains(r"^[+-]?\d+$").all():
            warnings.append(f"{text.name}: whole numbers beyond 64 bits are read as approximate")
        return _finite(numbers, warnings)
    dates = _dates(trimmed)
    return dates if dates is not None else _as_text(text, trimmed, numbers, warnings)


def _written_as_code(trimmed: pl.Series) -> bool:
    """Digits with a leading zero, as in postal codes: a number would lose the zero."""
    return bool(trimmed.drop_nulls().str.contains(r"^0\d+$").any())


def _finite(numbers: pl.Series, warnings: list[str]) -> pl.Series:
    if infinite := int(numbers.is_infinite().sum()):
        warnings.append(f"{numbers.name}: {_count(infinite, 'value')} too large or infinite")
    return numbers


def _dates(trimmed: pl.Series) -> pl.Series | None:
    """Dates or instants in ISO 8601, where every value is one."""
    days = trimmed.str.to_date("%Y-%m-%d", strict=False)
    if days.null_count() == trimmed.null_count():
        return days
    utc = trimmed.str.strip_suffix("Z")
    for pattern in DATETIME_FORMATS:
        instants = utc.str.to_datetime(pattern, strict=False, time_unit="us")
        if instants.null_count() == trimmed.null_count():
            return instants
    return None


def _as_text(
    text: pl.Series, trimmed: pl.Series, numbers: pl.Series, warnings: list[str]
) -> pl.Series:
    """Text as it stands; a column of numbers with a few exceptions is named."""
    if (doubt := _doubt(trimmed, numbers)) is not None:
        warnings.append(doubt)
    return text


def find_doubts(frame: pl.DataFrame) -> list[str]:
    """What looks like a mistake in the text columns of a typed table.

    Parameters
    ----------
    frame
        Any table of typed columns.
    """
    texts = [series.str.strip_chars() for series in frame.select(pl.selectors.string())]
    doubts = [_doubt(text, text.cast(pl.Float64, strict=False)) for text in texts]
    return [doubt for doubt in doubts if doubt is not None]


def _doubt(trimmed: pl.Series, numbers: pl.Series) -> str | None:
    known = len(trimmed) - trimmed.null_count()
    if known == 0 or _written_as_code(trimmed):
        return None
    odd = trimmed.filter(numbers.is_null() & trimmed.is_not_null())
    if not len(odd):
        return None
    if 1 - len(odd) / known >= MOSTLY_NUMERIC:
        shown = ", ".join(repr(value) for value in odd.unique(maintain_order=True)[:SHOWN_EXAMPLES])
        return f"{trimmed.name}: {len(odd):,} of {known:,} values are not numbers ({shown})"
    if int(trimmed.str.contains(DECIMAL_COMMA).sum()) >= MOSTLY_NUMERIC * known:
        return f"{trimmed.name}: looks like numbers with a decimal comma; write them with a point"
    return None


def content_digest(frame: pl.DataFrame) -> str:
    """sha256 of names, types and values, equal for equal tables whatever file they came from."""
    digest = hashlib.sha256()
    for series in frame.iter_columns():
        digest.update(f"{series.name}\0{series.dtype}\0{len(series)}\0".encode())
        digest.update(np.packbits(series.is_null().to_numpy()).tobytes())
        if series.dtype == pl.String:
            lengths = series.str.len_bytes().fill_null(0).cast(pl.Int64)
            digest.update(lengths.to_numpy().astype("<i8").tobytes())
            digest.update("".join(series.fill_null("").to_list()).encode())
        else:
            physical = series.to_physical().fill_null(0 if series.dtype != pl.Boolean else False)
            kind = "<f8" if series.dtype.is_float() else "<i8"
            digest.update(physical.to_numpy().astype(kind).tobytes())
    return digest.hexdigest()
