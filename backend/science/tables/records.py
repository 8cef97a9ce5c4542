"""Delimited text record by record: exact, with line numbers, and slower than `blocks`.

Python's csv reader reads the header of every file, finds what is wrong with a bad one, and writes
unusual ones anew in the plain form that `blocks` can read.
"""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from backend.science.column_names import clean_name, find_bad_name
from backend.science.tables.encoding import check_utf8
from backend.science.tables.sniff import SAMPLE_LINES, find_delimiter
from backend.science.tables.table_file import ReadLimits
from backend.science.text_check import TableProblem

# No line of a table is longer; a file without line ends would fill the memory.
MOST_LINE_CHARACTERS: Final = 64 << 20
SAMPLE_CHARACTERS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """The first record.

    Attributes
    ----------
    names, raw
        Of the columns, cleaned and as they stand in the file.
    end
        Bytes up to the first row.
    """

    names: list[str]
    raw: list[str]
    end: int


def open_text(path: Path) -> TextIO:
    """Lines with their ends, as the csv reader wants them."""
    return path.open(encoding="utf-8-sig", newline="")


def guess_delimiter(path: Path) -> str:
    """The delimiter of a file by its first lines."""
    with open_text(path) as file:
        lines = (line for line in _bounded(file) if line.strip())
        first = list(itertools.islice(_some(lines), SAMPLE_LINES))
    return find_delimiter(first or [""])


def _some(lines: Iterator[str]) -> Iterator[str]:
    left = SAMPLE_CHARACTERS
    for line in lines:
        yield line
        left -= len(line)
        if left < 0:
            return


def _bounded(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MOST_LINE_CHARACTERS):
        number += 1
        if len(line) == MOST_LINE_CHARACTERS:
            raise TableProblem(
                f"Line {number:,} has more than {MOST_LINE_CHARACTERS:,} characters, "
                "so this is no table.",
                line=number,
            )
        yield line


class Records:
    """The records of a file, each with the line on which it ends; blank lines are no records.

    Parameters
    ----------
    file, delimiter
        As `open_text` opens it.
    max_cell
        Characters in a cell; None leaves the bound of the process, which all readers share.
    """

    def __init__(self, file: TextIO, delimiter: str, max_cell: int | None = None) -> None:
        self._most = csv.field_size_limit() if max_cell is None else max_cell
        self.bytes = 0
        self._reader = csv.reader(self._counted(file), delimiter=delimiter, strict=True)

    def _counted(self, file: TextIO) -> Iterator[str]:
        for line in _bounded(file):
            self.bytes += len(line.encode())
            yield line

    @property
    def line(self) -> int:
        """The line that was read last."""
        return self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        while True:
            # The bound is the module's, for whoever reads CSV in this process.
            before = csv.field_size_limit(self._most)
            try:
                record = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                message = f"Line {self.line:,}: {self._says(str(error))}."
                raise TableProblem(message, line=self.line) from None
            finally:
                csv.field_size_limit(before)
            if record:
                yield record

    def _says(self, error: str) -> str:
        if "field limit" in error:
            return f"a cell is longer than {self._most:,} characters; perhaps a quote is not closed"
        if "unexpected end" in error:
            return "the file ends within quotes; a quote is opened and not closed"
        if "expected after" in error:
            return "a quoted cell goes on after its closing quote; write quotes in it twice"
        return error


def read_header(path: Path, delimiter: str, limits: ReadLimits) -> Header:
    """The names of the columns.

    Raises
    ------
    TableProblem
        Empty file; too many, empty or equal names.
    """
    with open_text(path) as file:
        records = Records(file, delimiter, limits.max_cell_bytes)
        raw = next(iter(records), None)
        if raw is None:
            raise TableProblem("The file is empty.", line=1)
        if len(raw) > limits.max_columns:
            raise TableProblem(
                f"{len(raw):,} columns, at most {limits.max_columns:,}.", line=records.line
            )
        names = [clean_name(name) for name in raw]
        if any("\0" in name for name in names):
            check_utf8(path)
        if (bad := find_bad_name(names)) is not None:
            position, message = bad
            raise TableProblem(
                f"Line {records.line:,}: {message}.",
                line=records.line,
                column=names[position][:100] or None,
            )
        mark = 3 if _has_mark(path) else 0
        return Header(names, raw, mark + records.bytes)


def _has_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == b"\xef\xbb\xbf"


def no_rows(line: int) -> TableProblem:
    """For a table without any."""
    return TableProblem("The file has a header but no rows.", line=line)


def rewrite(path: Path, delimiter: str, limits: ReadLimits, target: Path) -> None:
    """Write the records in the plainest form: commas, as few quotes as possible, no blank lines.

    Raises
    ------
    TableProblem
        The first thing that is wrong with the file, with its line.
    """
    check_utf8(path)
    with open_text(path) as file, target.open("w", encoding="utf-8", newline="") as sink:
        # With CR LF at the ends of lines the writer quotes cells that hold either.
        writer = csv.writer(sink, lineterminator="\r\n")
        writer.writerows(_even(Records(file, delimiter, limits.max_cell_bytes)))


def count_rows(path: Path, delimiter: str, limits: ReadLimits) -> int:
    """The number of records behind the header.

    Raises
    ------
    TableProblem
        As for `rewrite`.
    """
    with open_text(path) as file:
        return sum(1 for _ in _even(Records(file, delimiter, limits.max_cell_bytes))) - 1


def _even(records: Records) -> Iterator[list[str]]:
    """Records with as many fields as the first has, at least two records."""
    width = number = 0
    for record in records:
        width = width or len(record)
        if len(record) != width:
            raise TableProblem(
                f"Line {records.line:,} has {_fields(len(record))}, expected {width:,}.",
                line=records.line,
            )
        number += 1
        yield record
    if number < 2:
        raise no_rows(records.line)


def _fields(number: int) -> str:
    return f"{number:,} field" if number == 1 else f"{number:,} fields"
