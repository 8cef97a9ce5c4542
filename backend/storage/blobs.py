"""Content-addressed files: a blob's name is the sha256 of its bytes, so it never changes."""

import contextlib
import hashlib
import io
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from backend.core.errors import Unavailable

CHUNK_BYTES = 1 << 20
DAMAGED = "is damaged: its bytes have another sha256"
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Its path in a local store, as libraries write it into their errors.
_LOCAL_PATH = re.compile(r"/([0-9a-f]{2})/(\1[0-9a-f]{62})(?![0-9a-f])")


class BlobMissing(Unavailable):
    """A file is missing or damaged"""

    code = "file_missing"

    def __init__(self, digest: str, why: str = "is not in the store") -> None:
        super().__init__(
            "A file that this needs is missing or damaged. Nothing else is affected; an "
            "administrator can restore it from a backup.",
            retry_after=60,
        )
        self.digest = digest
        self.why = why

    def __str__(self) -> str:
        return f"{self.digest} {self.why}"


def find_missing(error: FileNotFoundError) -> BlobMissing | None:
    """The blob that the error is about, which was removed after `local` had found it."""
    found = _LOCAL_PATH.search(str(error))
    return None if found is None else BlobMissing(found[2])


def digest_of(path: Path) -> str:
    """The sha256 of a local file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class BlobStore:
    """Blobs below one fsspec address: a folder, or a bucket."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def _path(self, digest: str) -> str:
        return f"{self._root}/{digest[:2]}/{digest}"

    def put_file(self, path: Path, *, digest: str | None = None, move: bool = False) -> str:
        """Store a local file; written beside its place and moved, so it is whole or absent.

        With `move` the file may be taken away from its path, which spares a copy.
        """
        digest = digest or digest_of(path)
        target = self._path(digest)
        if self._fs.exists(target):
            return digest
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        partial = f"{self._root}/partial-{uuid.uuid4().hex}"
        try:
            if not (move and self._take(path, partial)):
                with path.open("rb") as source, self._fs.open(partial, "wb") as sink:
                    shutil.copyfileobj(source, sink, CHUNK_BYTES)
            self._fs.mv(partial, target)
        except BaseException:
            if self._fs.exists(partial):
                self._fs.rm(partial)
            raise
        return digest

    def _take(self, path: Path, target: str) -> bool:
        """Rename a file into a store on the same disk; False where it has to be copied."""
        if not isinstance(self._fs, LocalFileSystem):
            return False
        with contextlib.suppress(OSError):
            os.rename(path, target)
            return True
        return False

    @contextmanager
    def local(self, digest: str, folder: Path) -> Iterator[Path]:
        """A path at which a blob can be read: its own, or that of a copy in the folder."""
        path = self._path(digest)
        if isinstance(self._fs, LocalFileSystem):
            if not self._fs.exists(path):
                raise BlobMissing(digest)
            yield Path(path)
            return
        copy = folder / digest
        self.fetch(digest, copy)
        try:
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def remove(self, digest: str) -> None:
        """Take a blob out of the store; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(digest))

    def size(self, digest: str) -> int | None:
        """The bytes of a blob; None where it is not there."""
        try:
            return int(self._fs.size(self._path(digest)))
        except FileNotFoundError:
            return None

    def open(self, digest: str) -> BinaryIO:
        """A readable file of a blob."""
        try:
            file: BinaryIO = self._fs.open(self._path(digest), "rb")
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        return file

    def read(self, digest: str) -> bytes:
        """All bytes of a small blob."""
        with self.open(digest) as file:
            return file.read()

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes of a blob in chunks."""
        with self.open(digest) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def fetch(self, digest: str, target: Path) -> None:
        """Copy a blob to a local file and check that it is what its name says."""
        sha = hashlib.sha256()
        with self.open(digest) as source, target.open("wb") as sink:
            while chunk := source.read(CHUNK_BYTES):
                sha.update(chunk)
                sink.write(chunk)
        if sha.hexdigest() != digest:
            raise BlobMissing(digest, DAMAGED)

    def read_verified(self, digest: str) -> io.BytesIO:
        """The bytes of a blob after their sha256 was checked; for what gets unpickled."""
        content = self.read(digest)
        if hashlib.sha256(content).hexdigest() != digest:
            raise BlobMissing(digest, DAMAGED)
        return io.BytesIO(content)

    def sweep_partials(self, older_than_seconds: float) -> int:
        """Remove what a killed process began to write in a local store; answers how many."""
        if not isinstance(self._fs, LocalFileSystem):
            return 0
        swept = 0
        for path in Path(self._root).glob("partial-*"):
            with contextlib.suppress(FileNotFoundError):
                # Renaming does not change when a file was written, only when it was changed.
                if time.time() - path.stat().st_ctime > older_than_seconds:
                    path.unlink()
                    swept += 1
        return swept

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every blob in the store with its bytes; slow on a large one."""
        if not self._fs.exists(self._root):
            return
        for path, details in self._fs.find(self._root, detail=True).items():
            name = path.rpartition("/")[2]
            if _DIGEST.fullmatch(name):
                yield name, int(details["size"])

    def free_bytes(self) -> int | None:
        """What the disk below the store still takes; None where nobody knows."""
        if not isinstance(self._fs, LocalFileSystem) or not self._fs.exists(self._root):
            return None
        return shutil.disk_usage(self._root).free

    def check(self) -> None:
        """Raise where the store cannot be written."""
        self._fs.makedirs(self._root, exist_ok=True)
        probe = f"{self._root}/probe-{uuid.uuid4().hex}"
        self._fs.touch(probe)
        self._fs.rm(probe)
