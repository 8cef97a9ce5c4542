"""Files of predictions that a page made and the browser fetches once or twice, soon.

They lie in nameless temporary files: nobody else can open one, and none outlives the process.
"""

import os
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

KEPT_FILES: Final = 20
KEPT_SECONDS: Final = 900.0
PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class PredictedFile:
    """A finished file, for the user who asked for it."""

    content: IO[bytes]
    name: str
    user_id: int
    expires_at: float

    @property
    def size(self) -> int:
        return os.fstat(self.content.fileno()).st_size


class PredictedFiles:
    """The latest files, by tokens that cannot be guessed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, PredictedFile] = OrderedDict()

    def add(self, content: IO[bytes], *, name: str, user_id: int) -> str:
        """Takes over an open file; answers its token."""
        token = secrets.token_urlsafe(24)
        expires_at = time.monotonic() + KEPT_SECONDS
        with self._lock:
            self._files[token] = PredictedFile(content, name, user_id, expires_at)
            self._drop_old()
        return token

    def discard(self, token: str) -> None:
        """Frees the file, if it is still there."""
        with self._lock:
            file = self._files.pop(token, None)
        if file is not None:
            file.content.close()

    def open(self, token: str, *, user_id: int) -> tuple[PredictedFile, Iterator[bytes]] | None:
        """The file and its content; None where it is not there, or not this user's."""
        with self._lock:
            self._drop_old()
            file = self._files.get(token)
            if file is None or file.user_id != user_id:
                return None
            # Its own handle: the file may be dropped while it is sent.
            handle = os.dup(file.content.fileno())
        return file, _pieces(handle)

    def _drop_old(self) -> None:
        now = time.monotonic()
        while self._files:
            token, oldest = next(iter(self._files.items()))
            if len(self._files) <= KEPT_FILES and oldest.expires_at > now:
                return
            del self._files[token]
            oldest.content.close()


def _pieces(handle: int) -> Iterator[bytes]:
    """Read by position: several readers share one file."""
    position = 0
    try:
        while piece := os.pread(handle, PIECE_BYTES, position):
            position += len(piece)
            yield piece
    finally:
        os.close(handle)


def new_file() -> IO[bytes]:
    """An empty file without a name."""
    return tempfile.TemporaryFile()


predicted_files: Final = PredictedFiles()
