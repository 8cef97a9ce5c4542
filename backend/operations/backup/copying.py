"""Copies files and says how far it is."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from backend.operations.backup.manifest import BackupError, FileEntry

Report = Callable[[str], None]
CHUNK_BYTES: Final = 1 << 20
REPORT_SECONDS: Final = 5.0
# What else comes to lie on the same disk, above the files themselves.
SPARE_BYTES: Final = 200_000_000


class Progress:
    """A line every few seconds, so that a long copy is not silence."""

    def __init__(self, report: Report, doing: str, total: int) -> None:
        self._report = report
        self._doing = doing
        self._total = total
        self._done = 0
        self._bytes = 0
        self._last = time.monotonic()

    def add(self, size: int) -> None:
        """One more file."""
        self._done += 1
        self._bytes += size
        if time.monotonic() - self._last >= REPORT_SECONDS:
            self._last = time.monotonic()
            self._report(
                f"{self._doing}: {self._done:,} of {self._total:,}, {readable(self._bytes)}"
            )


def readable(size: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def copy_stream(source: BinaryIO, root: Path, path: str) -> FileEntry:
    """Write a file below `root`, and tell what was written."""
    target = root / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sha = hashlib.sha256()
    size = 0
    with target.open("wb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            sha.update(chunk)
            size += len(chunk)
            sink.write(chunk)
    return FileEntry(path=path, bytes=size, sha256=sha.hexdigest())


def describe(root: Path, path: str) -> FileEntry:
    """The entry of a file that stands there."""
    with (root / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(path=path, bytes=(root / path).stat().st_size, sha256=digest)


def files_below(root: Path) -> Iterator[str]:
    """Every file below a folder, by its relative path."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root).as_posix()


def require_empty(folder: Path) -> None:
    """Refuse to mix with what is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty")


def require_room(folder: Path, size: int) -> None:
    """Refuse what cannot end well."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        needed = readable(size + SPARE_BYTES)
        raise BackupError(f"{folder}: {readable(free)} are free, {needed} are needed")
