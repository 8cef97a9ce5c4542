"""A file of any format to typed Parquet: told by its content, read by one of the readers."""

import pkgutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from backend.science.tables.doubts import find_doubts
from backend.science.tables.inflate import inflate
from backend.science.tables.sniff import COMPRESSIONS, Content, sniff
from backend.science.tables.table_file import (
    Compression,
    ReadLimits,
    ReadOptions,
    Report,
    TableFile,
    silent,
)
from backend.science.text_check import TableProblem

Reader = Callable[[Path, ReadOptions, ReadLimits, Path, Report], TableFile]
READERS: Final[Mapping[Content, str]] = {
    "csv": "backend.science.tables.delimited:read_delimited",
    "parquet": "backend.science.tables.arrow_files:read_parquet",
    "arrow": "backend.science.tables.arrow_files:read_arrow",
    "excel": "backend.science.tables.excel:read_excel",
    "json_lines": "backend.science.tables.json_lines:read_json_lines",
    "json": "backend.science.tables.json_lines:read_json_lines",
}


def read_table(
    path: Path,
    options: ReadOptions,
    limits: ReadLimits,
    target: Path,
    report: Report = silent,
) -> TableFile:
    """Read a file as a typed table.

    Parameters
    ----------
    path
        The file as it was sent.
    options
        What the sender says about it.
    limits
        Bounds on the table.
    target
        The Parquet file to make; temporary files stand beside it.
    report
        Told how far the work has come.

    Raises
    ------
    TableProblem
        The file is no table, or too large; nothing useful is left at `target`.
    """
    content = sniff(path, options.format)
    if content not in COMPRESSIONS:
        return _finish(_read_plain(path, options, limits, target, report), None)
    compression = COMPRESSIONS[content]
    with tempfile.TemporaryDirectory(prefix="inflated-", dir=target.parent) as folder:
        plain = Path(folder) / "plain"
        inflate(path, compression, plain, limits, report)
        if sniff(plain, options.format) in COMPRESSIONS:
            raise TableProblem("The file is compressed twice; compress it once.")
        return _finish(_read_plain(plain, options, limits, target, report), compression)


def _finish(table: TableFile, compression: Compression | None) -> TableFile:
    doubts = find_doubts(table.path)
    source = table.source
    if source is not None and compression is not None:
        source = replace(source, compression=compression)
    said = [doubt.message for doubt in doubts]
    more = [warning for warning in table.warnings if warning not in said]
    return replace(table, source=source, doubts=doubts, warnings=[*said, *more])


def _read_plain(
    path: Path, options: ReadOptions, limits: ReadLimits, target: Path, report: Report
) -> TableFile:
    return _reader(sniff(path, options.format))(path, options, limits, target, report)


def _reader(content: Content) -> Reader:
    # The libraries of the others are loaded for their files only.
    found: Reader = pkgutil.resolve_name(READERS[content])
    return found
