"""A file of delimited text, whatever its encoding, delimiter and line ends, to typed Parquet."""

import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Final

from backend.science.tables.blocks import Irregular, Shape
from backend.science.tables.encoding import check_utf8, find_codec, write_utf8
from backend.science.tables.records import guess_delimiter, no_rows, read_header, rewrite
from backend.science.tables.regular_text import RegularText
from backend.science.tables.sniff import HEAD_BYTES
from backend.science.tables.table_file import (
    ReadLimits,
    ReadOptions,
    Report,
    TableFile,
    TableSource,
    silent,
)
from backend.science.text_check import TableProblem

# Every line of a file that was written anew passed the checks of `records`.
ANY_LENGTH: Final = 1 << 62


def read_delimited(
    path: Path,
    options: ReadOptions,
    limits: ReadLimits,
    target: Path,
    report: Report = silent,
) -> TableFile:
    """Read text with a header line and one record per line.

    Parameters
    ----------
    path
        The file, not compressed.
    options
        `delimiter` and `encoding` override what the file shows.
    limits
        Bounds on columns and cells.
    target
        The Parquet file to make; temporary files stand beside it.
    report
        Told how far the reading has come.

    Raises
    ------
    TableProblem
        Wrong encoding, no table, ragged rows, bad names, broken quotes; with the line.
    """
    with path.open("rb") as file:
        codec = find_codec(file.read(HEAD_BYTES), options.encoding)
    with tempfile.TemporaryDirectory(prefix="text-", dir=target.parent) as folder:
        if codec not in ("utf-8", "utf-8-sig"):
            path, source = Path(folder) / "utf-8", path
            write_utf8(source, codec, path)
        try:
            delimiter = _delimiter(path, options)
            table = _read_utf8(path, delimiter, limits, target, report, Path(folder))
        except UnicodeDecodeError:
            check_utf8(path)
            raise
    encoding = codec.removesuffix("-sig")
    return replace(table, source=TableSource("csv", encoding=encoding, delimiter=delimiter))


def _delimiter(path: Path, options: ReadOptions) -> str:
    wanted = options.delimiter
    if wanted is None:
        return guess_delimiter(path)
    if len(wanted) != 1 or wanted.isalnum() or wanted in "\"'\r\n\0" or _is_control(wanted):
        raise TableProblem(
            f"The delimiter {wanted!r} cannot separate cells. Take one character that is no "
            "letter, digit, quote or line end."
        )
    return wanted


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\x1f\x1e\x01"


def _read_utf8(
    path: Path, delimiter: str, limits: ReadLimits, target: Path, report: Report, folder: Path
) -> TableFile:
    header = read_header(path, delimiter, limits)
    if header.end >= path.stat().st_size:
        raise no_rows(1)
    try:
        if not delimiter.isascii():
            raise Irregular
        shape = Shape(delimiter, len(header.names), limits.max_cell_bytes)
        return _table(RegularText(path, header, shape, report=report), header.names, target)
    except Irregular:
        pass
    plain = folder / "plain"
    rewrite(path, delimiter, limits, plain)
    header = read_header(plain, ",", limits)
    shape = Shape(",", len(header.names), ANY_LENGTH)
    try:
        return _table(RegularText(plain, header, shape, report=report), header.names, target)
    except Irregular:
        raise TableProblem("The file could not be read as a table. Check its quotes.") from None


def _table(text: RegularText, names: list[str], target: Path) -> TableFile:
    written, warnings = text.write(target)
    return TableFile(
        path=target,
        rows=written.rows,
        names=names,
        content_digest=written.content_digest,
        source=None,
        warnings=[*warnings, *written.warnings()],
    )
