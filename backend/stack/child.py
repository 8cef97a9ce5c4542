"""One process below the supervisor: started, watched, restarted, ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.stack import reaper_process
from backend.stack.logs import open_log
from backend.stack.readiness import ReadyCheck
from backend.stack.reaper import MARK_VARIABLE, Reaper

RESTARTS_ALLOWED: Final = 5
DEATHS_WINDOW: Final = 60.0
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0


class StackError(RuntimeError):
    """The stack cannot go on; the message is for the person in front of it."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code: Final = exit_code


@dataclass(frozen=True)
class ChildSpec:
    """How a process is started, known to be ready, and ended.

    `launch` gets what the environment must hold besides its own, and starts a group leader.
    """

    name: str
    launch: Callable[[Mapping[str, str]], subprocess.Popen[bytes]]
    is_ready: ReadyCheck
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 8.0
    ready_seconds: float = 120.0


def launch_program(
    arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Starts a program that writes to its log, in a session of its own.

    Thus Ctrl-C reaches the supervisor alone, which then ends all in order.
    """
    descriptor = open_log(log)
    try:
        return subprocess.Popen(  # noqa: S603 - the stack's own programs, no shell
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(environment),
            start_new_session=True,
            umask=0o077,  # root's home can be passed through by anybody
        )
    finally:
        os.close(descriptor)


class Child:
    """The process of a spec as it comes and goes."""

    def __init__(self, spec: ChildSpec, reaper: Reaper) -> None:
        self.spec: Final = spec
        self.ready = False
        self.was_ready = False
        self.started = 0.0
        self.restart_at: float | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._reaper: Final = reaper
        self._mark: Final = f"{reaper.mark}:{spec.name}."
        self._deaths: list[float] = []

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    def launch(self) -> None:
        """Starts the process; it cannot outlive the supervisor from here on."""
        self.restart_at = None
        self.ready = False
        self.started = time.monotonic()
        self.process = self.spec.launch({MARK_VARIABLE: self._mark})
        self._reaper.guard(
            self.process.pid, stop_signal=self.spec.stop_signal, grace=self.spec.grace
        )

    def exit_code(self) -> int | None:
        """None while it runs, or is not started."""
        return None if self.process is None else self.process.poll()

    def overdue(self, now: float) -> bool:
        """Whether it runs, but does not become ready."""
        return not self.ready and now - self.started > self.spec.ready_seconds

    def bury(self) -> None:
        """After the leader's end: nothing of its group or its offspring stays."""
        if self.process is None:
            return
        pid = self.process.pid
        self.process = None
        self.ready = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        mark = f"{MARK_VARIABLE}={self._mark}".encode()
        for left in reaper_process.members({pid}, mark):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(left, signal.SIGKILL)
        self._reaper.release(pid)

    def plan_restart(self, now: float) -> float | None:
        """The pause before the next start; None when it has died too often."""
        self._deaths = [death for death in self._deaths if death > now - DEATHS_WINDOW] + [now]
        if len(self._deaths) > RESTARTS_ALLOWED:
            return None
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (len(self._deaths) - 1))
        self.restart_at = now + pause
        return pause

    def ask_to_end(self) -> None:
        """Sends the leader its signal; its group is cleared away at its end."""
        self._send(self.spec.stop_signal)

    def kill(self) -> None:
        """Ends the leader at once; PostgreSQL gets the signal by which it ends its own children."""
        self._send(signal.SIGQUIT if self.spec.stop_signal == signal.SIGINT else signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
