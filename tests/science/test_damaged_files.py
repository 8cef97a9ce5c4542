"""Damaged files of every format: refused with a reason or read, and nothing else ever happens."""

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.science.images.archive import ArchiveLimits, open_archive
from backend.science.images.image_table import write_images
from backend.science.images.problem import ImageProblem
from backend.science.tables.arrow_files import read_arrow, read_parquet
from backend.science.tables.excel import read_excel
from backend.science.tables.json_lines import read_json_lines
from backend.science.tables.table_file import ReadLimits, ReadOptions, Report
from backend.science.text_check import TableProblem
from tests.science.images import image_zip
from tests.science.table_files import read, saved, workbook

ROWS = pd.read_csv("tests/data/penguins.csv").head(20)
FRAME = pl.from_pandas(
    ROWS.assign(
        when=pd.date_range("2024-01-01", periods=20, freq="h"),
        kind=ROWS["species"].astype("category"),
    )
)


def read_archive(
    path: Path, _options: ReadOptions, _limits: ReadLimits, target: Path, _report: Report
) -> None:
    with open_archive(path, ArchiveLimits(max_images=100, max_bytes=10**7)) as archive:
        write_images(archive, target, 10**7)


def stored_only(content: bytes) -> bytes:
    """The same zip without compression, so that a changed byte is one of its content."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return sink.getvalue()


FILES: dict[str, tuple[Callable[..., object], bytes]] = {
    "parquet": (read_parquet, saved(FRAME.write_parquet)),
    "plain parquet": (
        read_parquet,
        saved(lambda s: FRAME.write_parquet(s, compression="uncompressed")),
    ),
    "arrow": (read_arrow, saved(lambda sink: FRAME.write_ipc(sink, compression="zstd"))),
    "plain arrow": (read_arrow, saved(FRAME.write_ipc)),
    "stream": (read_arrow, saved(FRAME.write_ipc_stream)),
    "json lines": (read_json_lines, saved(FRAME.write_ndjson)),
    "json": (read_json_lines, saved(FRAME.write_json)),
    "excel": (read_excel, workbook({"Sheet1": ROWS})),
    "plain excel": (read_excel, stored_only(workbook({"Sheet1": ROWS}))),
    "images": (read_archive, image_zip(4)),
    "plain images": (read_archive, stored_only(image_zip(4))),
}
BYTES = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x40"]
)
CHANGE = st.tuples(st.sampled_from(["put", "insert", "cut", "end"]), st.floats(0, 1), BYTES)


def damaged(content: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, share, piece in changes:
        at = int(share * len(content))
        behind = {"put": at + len(piece), "insert": at, "cut": at + 50 * len(piece), "end": 1 << 30}
        content = (
            content[:at] + (piece if kind in ("put", "insert") else b"") + content[behind[kind] :]
        )
    return content


@pytest.mark.parametrize("form", FILES)
@settings(
    max_examples=60,
    deadline=10_000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=st.lists(CHANGE, min_size=1, max_size=4))
def test_damaged_file_is_read_or_refused(
    form: str, changes: list[tuple[str, float, bytes]], tmp_path: Path
) -> None:
    reader, content = FILES[form]
    with contextlib.suppress(TableProblem, ImageProblem):
        read(reader, damaged(content, changes), tmp_path)  # type: ignore[arg-type]  # any reader


@pytest.mark.parametrize("form", FILES)
def test_undamaged_file_is_read(form: str, tmp_path: Path) -> None:
    reader, content = FILES[form]
    read(reader, content, tmp_path)  # type: ignore[arg-type]  # any reader
    assert (tmp_path / "typed").stat().st_size > 0
