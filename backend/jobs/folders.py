"""A folder for each piece of work; what a killed worker left is swept.

A folder is locked by the worker that works in it. The kernel frees the lock with the process, so
a folder whose lock can be taken belongs to nobody.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "goodfit-"
KINDS: Final = ("fit", "reproduce", "track", "compare", "profile")
# One that was just made is not locked yet.
YOUNG_SECONDS: Final = 60.0


@contextmanager
def work_folder(kind: str) -> Iterator[Path]:
    """A folder for work of one of KINDS; gone afterwards."""
    made = tempfile.TemporaryDirectory(prefix=_prefix(kind), ignore_cleanup_errors=True)
    with made as name, contextlib.closing(_Lock(Path(name))):
        yield Path(name)


def sweep_folders(older_than_seconds: float = YOUNG_SECONDS) -> int:
    """Remove the folders that nobody works in any more; answers how many there were."""
    root, swept = Path(tempfile.gettempdir()), 0
    for folder in [path for kind in KINDS for path in root.glob(f"{_prefix(kind)}*")]:
        # Gone meanwhile, of another user, or somebody works in it.
        with contextlib.suppress(OSError):
            if time.time() - folder.lstat().st_mtime < older_than_seconds:
                continue
            with contextlib.closing(_Lock(folder)):
                shutil.rmtree(folder)
                swept += 1
    return swept


def _prefix(kind: str) -> str:
    return f"{_PREFIX}{kind}-"


class _Lock:
    """Held until it is closed, or its process is gone; BlockingIOError where another holds it."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        os.close(self._descriptor)
