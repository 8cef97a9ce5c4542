"""Compressed files: whole or named, never larger than allowed."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from backend.science.tables.inflate import inflate
from backend.science.tables.read import read_table
from backend.science.tables.table_file import Compression, ReadLimits, ReadOptions
from backend.science.text_check import TableProblem

LIMITS = ReadLimits(max_columns=10, max_cell_bytes=1_000, max_inflated_bytes=20_000_000)
CONTENT = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(20_000))


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def inflated(folder: Path, content: bytes, compression: Compression) -> bytes:
    (folder / "sent").write_bytes(content)
    inflate(folder / "sent", compression, folder / "plain", LIMITS)
    return (folder / "plain").read_bytes()


@pytest.mark.parametrize(
    ("content", "compression"),
    [
        (gzip.compress(CONTENT, mtime=0), "gzip"),
        (gzip.compress(CONTENT[:9], mtime=0) + gzip.compress(CONTENT[9:], mtime=0), "gzip"),
        (gzip.compress(CONTENT, mtime=0) + b"\0" * 3_000_000, "gzip"),
        (zstd(CONTENT), "zstd"),
        (zstd(CONTENT[:9]) + zstd(CONTENT[9:]), "zstd"),
    ],
)
def test_all_of_a_file_is_inflated(
    tmp_path: Path, content: bytes, compression: Compression
) -> None:
    assert inflated(tmp_path, content, compression) == CONTENT


@pytest.mark.parametrize(
    ("content", "compression", "words"),
    [
        (gzip.compress(CONTENT, mtime=0)[:-3], "gzip", "cut off"),
        (gzip.compress(CONTENT, mtime=0)[:9], "gzip", "cut off"),
        (gzip.compress(CONTENT, mtime=0)[:500] + b"\xff" * 500, "gzip", "damaged"),
        (gzip.compress(CONTENT, mtime=0) + b"more", "gzip", "damaged"),
        (gzip.compress(b"", mtime=0), "gzip", "empty"),
        (gzip.compress(b"\0" * 15_000_000, mtime=0), "gzip", "more than 200 times"),
        (gzip.compress(CONTENT[:100_000] * 201, mtime=0), "gzip", "more than 20,000,000 bytes"),
        (zstd(CONTENT)[:-3], "zstd", "damaged or cut off"),
        (zstd(CONTENT)[:50] + b"\xff" * 500, "zstd", "damaged or cut off"),
        (zstd(b"\0" * 15_000_000), "zstd", "more than 200 times"),
    ],
)
def test_bad_compressed_file_is_named(
    tmp_path: Path, content: bytes, compression: Compression, words: str
) -> None:
    with pytest.raises(TableProblem, match=words):
        inflated(tmp_path, content, compression)


def test_file_that_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sent"
    path.write_bytes(gzip.compress(gzip.compress(CONTENT), mtime=0))
    with pytest.raises(TableProblem, match="compressed twice"):
        read_table(path, ReadOptions(), LIMITS, tmp_path / "typed.parquet")
    assert {left.name for left in tmp_path.iterdir()} == {"sent"}
