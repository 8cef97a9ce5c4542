"""Compressed files become plain ones, counted while they grow."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from backend.science.tables.table_file import Compression, ReadLimits, Report, silent
from backend.science.text_check import TableProblem

CHUNK: Final = 1 << 20
# Smaller files may be as repetitive as they like.
RATIO_COUNTS_FROM: Final = 10_000_000


def inflate(
    source: Path,
    compression: Compression,
    target: Path,
    limits: ReadLimits,
    report: Report = silent,
) -> None:
    """Write the content of a compressed file.

    Parameters
    ----------
    source, target
        The compressed file and the one to make.
    limits
        Bounds on the size of the content and on its ratio to the file's.

    Raises
    ------
    TableProblem
        Damaged, cut off, or too large when it is inflated.
    """
    size = source.stat().st_size
    chunks = _gzip_chunks(source) if compression == "gzip" else _zstd_chunks(source)
    most = limits.max_inflated_bytes
    written = 0
    with target.open("wb") as sink:
        for chunk in chunks:
            written += len(chunk)
            if written > most:
                raise TableProblem(f"The file holds more than {most:,} bytes when it is inflated.")
            if written > max(RATIO_COUNTS_FROM, limits.max_ratio * size):
                raise TableProblem(
                    f"The file inflates to more than {limits.max_ratio:,} times its size."
                )
            sink.write(chunk)
            report(min(1.0, written / (8 * size)), "Inflating")
    if written == 0:
        raise TableProblem("The compressed file is empty.", line=1)


def _gzip_chunks(source: Path) -> Iterator[bytes]:
    """Content of all members, one after the other; zeros after the last are padding."""
    with source.open("rb") as file:
        member = zlib.decompressobj(wbits=31)
        pending = file.read(CHUNK)
        while pending:
            try:
                yield member.decompress(pending, CHUNK)
            except zlib.error:
                raise TableProblem("The gzip file is damaged.") from None
            pending = member.unconsumed_tail
            if member.eof:
                pending = _next_member(member.unused_data, file.read(CHUNK))
                if not pending and not (pending := file.read(CHUNK)).strip(b"\0"):
                    return
                member = zlib.decompressobj(wbits=31)
            pending = pending or file.read(CHUNK)
        raise TableProblem("The gzip file is cut off.")


def _next_member(unused: bytes, following: bytes) -> bytes:
    return (unused + following).lstrip(b"\0")


def _zstd_chunks(source: Path) -> Iterator[bytes]:
    try:
        with pa.OSFile(str(source)) as file, pa.CompressedInputStream(file, "zstd") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (OSError, pa.ArrowException):
        raise TableProblem("The zstd file is damaged or cut off.") from None
