"""The supervisor's side of the reaper: a process that outlives it just long enough to clean up."""

import contextlib
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from backend.stack import reaper_process

MARK_VARIABLE: Final = "GOODFIT_STACK_MARK"


class Reaper:
    """Guards processes by their group; `kill -9` of this process ends them all the same.

    Children that carry `mark` in their environment are found even when they left their group,
    or were started a moment before they could be guarded.
    """

    def __init__(self) -> None:
        self.mark: Final = secrets.token_hex(16)
        self._guarded: dict[int, str] = {}
        self._process = self._spawn()

    @property
    def environment(self) -> dict[str, str]:
        """What a guarded child's environment must hold."""
        return {MARK_VARIABLE: self.mark}

    @property
    def pid(self) -> int:
        """The reaper's own process."""
        return self._process.pid

    def guard(self, pid: int, *, stop_signal: int = signal.SIGTERM, grace: float = 8.0) -> None:
        """From now on the process (a group leader) does not outlive this one."""
        self._guarded[pid] = f"+ {pid} {int(stop_signal)} {grace}\n"
        self._tell(self._guarded[pid])

    def release(self, pid: int) -> None:
        """The process has ended: its number may soon be another's."""
        if self._guarded.pop(pid, None) is not None:
            self._tell(f"- {pid}\n")

    def close(self) -> None:
        """Ends what is still guarded or marked; returns when it is gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own file, run by this very interpreter
            [sys.executable, "-I", "-S", str(Path(reaper_process.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        self._write(process, f"mark {MARK_VARIABLE}={self.mark}\n")
        return process

    @staticmethod
    def _write(process: subprocess.Popen[bytes], line: str) -> None:
        if process.stdin is not None:
            process.stdin.write(line.encode())
            process.stdin.flush()

    def _tell(self, line: str) -> None:
        try:
            self._write(self._process, line)
        except OSError:  # somebody ended the reaper: a new one must know all that is alive
            self._process.wait()
            self._process = self._spawn()
            for entry in self._guarded.values():
                self._write(self._process, entry)
