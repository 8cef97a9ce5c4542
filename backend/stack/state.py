"""What other programs learn about a running stack: its lock and its `state.json`."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from backend.stack.home import write_private

STATE_FILE: Final = "state.json"
LOCK_FILE: Final = "run/supervisor.lock"


@dataclass(frozen=True)
class State:
    """Addresses and process numbers of a stack that became ready."""

    urls: dict[str, str]
    pids: dict[str, int]

    @classmethod
    def read(cls, home: Path) -> "State | None":
        """None while nothing is ready."""
        try:
            found = json.loads((home / STATE_FILE).read_text())
            return cls(urls=dict(found["urls"]), pids=dict(found["pids"]))
        except (OSError, ValueError, KeyError):
            return None

    def write(self, home: Path) -> None:
        text = json.dumps({"urls": self.urls, "pids": self.pids}, indent=1)
        write_private(home / STATE_FILE, text + "\n")

    @staticmethod
    def remove(home: Path) -> None:
        (home / STATE_FILE).unlink(missing_ok=True)


@dataclass(frozen=True)
class Owner:
    """Who holds, or held, the lock: its process number, and the mark of its processes."""

    pid: int
    mark: str


class HomeLock:
    """Only one supervisor per home; the kernel frees it, also after `kill -9`."""

    def __init__(self, home: Path) -> None:
        self._path: Final = home / LOCK_FILE
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """False when another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def sign(self, owner: Owner) -> None:
        """Leaves word of who holds the lock."""
        if self._descriptor is not None:
            text = json.dumps({"pid": owner.pid, "mark": owner.mark}).encode()
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> Owner | None:
        """Who signed last, whether it lives or not."""
        try:
            found = json.loads(self._path.read_text())
            return Owner(pid=int(found["pid"]), mark=str(found["mark"]))
        except (OSError, ValueError, KeyError):
            return None

    def holder(self) -> Owner | None:
        """Who holds the lock now; None when nobody does."""
        if not self._path.exists():
            return None
        if self.acquire():
            self.release()
            return None
        return self.owner() or Owner(pid=0, mark="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
