"""Small files of every format, and the readers that take them."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl

from backend.science.tables.table_file import ReadLimits, ReadOptions, Report, TableFile

Reader = Callable[[Path, ReadOptions, ReadLimits, Path, Report], TableFile]
LIMITS = ReadLimits(max_columns=50, max_cell_bytes=1_000, max_inflated_bytes=200_000_000)


def read(
    reader: Reader, content: bytes, folder: Path, limits: ReadLimits = LIMITS, **options: str
) -> TableFile:
    """Read bytes as a file; nothing but the typed file is left behind."""
    path, target = folder / "sent", folder / "typed"
    path.write_bytes(content)
    try:
        return reader(path, ReadOptions(**options), limits, target, lambda _share, _text: None)  # type: ignore[arg-type]  # any reader
    finally:
        assert {one.name for one in folder.iterdir()} <= {"sent", "typed"}


def typed(table: TableFile) -> pl.DataFrame:
    frame = pl.read_parquet(table.path)
    assert (frame.height, frame.columns) == (table.rows, list(table.names))
    return frame


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def workbook(sheets: dict[str, pd.DataFrame], *, header: bool = True) -> bytes:
    """An .xlsx file as pandas writes it."""
    sink = io.BytesIO()
    with pd.ExcelWriter(sink, engine="xlsxwriter") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False, header=header)
    return sink.getvalue()
