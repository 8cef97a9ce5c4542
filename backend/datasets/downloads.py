"""Versions on their way out: the bytes as they were sent, or the typed table in another format."""

import io
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from backend.core.limits import HEAVY_WORK
from backend.datasets.schemas import DownloadFormat
from backend.storage.blobs import CHUNK_BYTES, BlobStore
from backend.tables import DatasetVersion

TABLE_PARTS: Final = "backend.datasets.exports:csv_parts"
# What may not stand in quotes, or is read as an escape there.
_UNQUOTABLE: Final = re.compile(r'[^\x20-\x7e]|["\\%]')


def open_download(
    blobs: BlobStore, version: DatasetVersion, form: DownloadFormat
) -> StreamingResponse:
    """The answer, whose file is open already: one that is missing is a 503, no broken stream."""
    stem = Path(version.file_name).stem or "table"
    if form == "csv":
        file = blobs.open(version.parquet_sha256)
        parts: Iterator[bytes] = pkgutil.resolve_name(TABLE_PARTS)(file)
        return _answer(_in_turn(parts), f"{stem}.csv", f"{version.content_digest}-csv", "text/csv")
    parquet = form == "parquet"
    digest = version.parquet_sha256 if parquet else version.sha256
    name = f"{stem}.parquet" if parquet else version.file_name
    file = blobs.open(digest)
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(0)
    media_type = "application/vnd.apache.parquet" if parquet else "application/octet-stream"
    return _answer(_chunks(file), name, digest, media_type, size=size)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _in_turn(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each part takes a core for a moment: few are made at a time, whoever downloads."""
    while True:
        async with HEAVY_WORK:
            part = await run_in_threadpool(next, parts, None)
        if part is None:
            return
        yield part


def disposition(name: str) -> str:
    """RFC 6266: the name in ASCII for programs that know no other, then the name itself."""
    plain = _UNQUOTABLE.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _answer(
    parts: Iterator[bytes] | AsyncIterator[bytes],
    name: str,
    etag: str,
    media_type: str,
    *,
    size: int | None = None,
) -> StreamingResponse:
    headers: dict[str, Any] = {
        "Content-Disposition": disposition(name),
        "ETag": f'"{etag}"',
        "Cache-Control": "private, no-cache",
    }
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(parts, media_type=media_type, headers=headers)
