"""A folder for each upload while it is read; what a killed process left is swept.

A folder is locked by the process that works in it. The kernel frees the lock with the process, so
a folder whose lock can be taken belongs to nobody.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from backend.core.errors import Unavailable
from backend.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
SWEEP_SECONDS: Final = 300.0
# A store on another disk is copied to; nothing takes longer.
PARTIAL_SECONDS: Final = 3_600.0
DISK_FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(Unavailable):
    """The server's disk is full"""

    code = "disk_full"

    def __init__(self) -> None:
        super().__init__(
            "The server has no room for this at the moment. Nothing was stored. An administrator "
            "can free some.",
            retry_after=60,
        )


def tells_full_disk(error: OSError) -> bool:
    """Whether it was raised for want of room; libraries in Rust say so in their text alone."""
    return error.errno in DISK_FULL_ERRORS or os.strerror(errno.ENOSPC) in str(error)


def uploads_folder(home: Path) -> Path:
    """On the disk of the stored files, so that these are moved and not copied."""
    return home.resolve() / "uploads"


@asynccontextmanager
async def workspace(home: Path) -> AsyncIterator[Path]:
    """A folder for one upload; gone afterwards, whatever happened.

    Raises
    ------
    DiskFull
        Nothing more could be written, there or where the files are kept.
    """
    folder, lock = _make(home)
    try:
        yield folder
    except OSError as error:
        if tells_full_disk(error):
            raise DiskFull from error
        raise
    finally:
        # Gigabytes take a while to go; a cancelled request does not end the thread.
        await asyncio.shield(asyncio.to_thread(_remove, folder, lock))


def _make(home: Path) -> tuple[Path, int]:
    root = uploads_folder(home)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(root, fcntl.LOCK_SH):
        folder = Path(tempfile.mkdtemp(dir=root))
        return folder, _lock(folder, fcntl.LOCK_EX)


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def sweep(home: Path) -> int:
    """Remove the folders that nobody works in any more; answers how many there were."""
    root = uploads_folder(home)
    if not root.is_dir():
        return 0
    left: list[tuple[Path, int]] = []
    # A folder that is being made is not locked yet: look only while none is.
    with _locked(root, fcntl.LOCK_EX):
        for folder in root.iterdir():
            with contextlib.suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):
                left.append((folder, _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)))
    for folder, lock in left:
        _remove(folder, lock)
    return len(left)


async def sweep_again_and_again(home: Path, blobs: BlobStore) -> None:
    """At the start of the process and then every few minutes, until cancelled."""
    while True:
        try:
            swept = await asyncio.to_thread(sweep, home)
            swept += await asyncio.to_thread(blobs.sweep_partials, PARTIAL_SECONDS)
        except OSError:
            _log.exception("what uploads left could not be swept")
        else:
            if swept:
                _log.info("what uploads left is swept", extra={"files": swept})
        await asyncio.sleep(SWEEP_SECONDS)


def _lock(folder: Path, mode: int) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(folder: Path, mode: int) -> Iterator[None]:
    descriptor = _lock(folder, mode)
    try:
        yield
    finally:
        os.close(descriptor)
