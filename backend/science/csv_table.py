"""A CSV file of rows to predict for: its cells as text, strict about shape, nothing guessed."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from backend.science.tables.encoding import check_utf8
from backend.science.tables.inference import INSTANT_FORMATS, NULL_TEXTS
from backend.science.tables.records import (
    Records,
    count_rows,
    guess_delimiter,
    open_text,
    read_header,
)
from backend.science.tables.table_file import ReadLimits
from backend.science.text_check import TableProblem

DATETIME_FORMATS: Final = tuple(INSTANT_FORMATS.values())
# A record must fit into one block.
BLOCK_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class TableLimits:
    """Bounds on the shape of a file."""

    max_columns: int
    max_cell_bytes: int


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
        The file; a byte-order mark is allowed.
    limits
        Bounds on columns and cells.

    Raises
    ------
    TableProblem
        No UTF-8, empty file, header only, ragged rows, duplicate, empty or too many columns,
        broken quotes.
    """
    check_utf8(path)
    bounds = ReadLimits(limits.max_columns, limits.max_cell_bytes, max_inflated_bytes=0)
    delimiter = guess_delimiter(path)
    header = read_header(path, delimiter, bounds)
    rows = count_rows(path, delimiter, bounds)
    text = _read_text(path, delimiter, header.raw)
    if text.height != rows:
        raise TableProblem(
            f"The file could be read as {rows:,} or as {text.height:,} rows. Check its quotes."
        )
    text.columns = header.names
    return TextTable(text, delimiter)


def line_of_row(path: Path, delimiter: str, row: int) -> int:
    """The line on which a row of a readable file ends.

    Parameters
    ----------
    path, delimiter
        A file that `read_text_table` read.
    row
        Counted from 0, without the header.
    """
    with open_text(path) as file:
        records = Records(file, delimiter)
        next(itertools.islice(records, row + 1, None))
        return records.line


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
