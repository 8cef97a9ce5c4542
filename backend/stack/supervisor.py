"""Keeps a list of processes alive, and ends them in the reverse of their order.

One thread, one loop: `tick` looks at every child; between two looks it sleeps until a signal comes.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from backend.stack.child import Child, ChildSpec, StackError
from backend.stack.logs import open_log, tail
from backend.stack.orphans import collect_orphans
from backend.stack.reaper import Reaper
from backend.stack.signals import StopSignals

STARTING_POLL: Final = 0.05
IDLE_POLL: Final = 1.0
# A wrong setting does not become right by starting again.
SETTINGS_EXIT_CODE: Final = 2
PATIENCE_SECONDS: Final = 5.0
KILL_SECONDS: Final = 5.0

Report = Callable[[str], None]


class Stopped(Exception):
    """A request to stop arrived while something was waited for."""


class Supervisor:
    """Owns its children from their start to their end.

    `changed` is called whenever a process number changes.
    """

    def __init__(
        self,
        *,
        reaper: Reaper,
        signals: StopSignals,
        report: Report,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._reaper: Final = reaper
        self._signals: Final = signals
        self._report: Final = report
        self._changed: Final = changed
        self._children: Final[list[Child]] = []
        self._steps: Final[set[int]] = set()
        self._waiting_since = time.monotonic()
        self._reminded = 0.0

    @property
    def pids(self) -> dict[str, int]:
        """The living children's process numbers by name."""
        return {child.spec.name: child.pid for child in self._children if child.pid is not None}

    def start(self, spec: ChildSpec) -> None:
        """Starts a process and watches it from now on; does not wait."""
        child = Child(spec, self._reaper)
        self._children.append(child)
        child.launch()
        self._changed()

    def wait_until_ready(self) -> None:
        """Returns when all are ready.

        Raises
        ------
        Stopped
            Somebody asked to stop.
        StackError
            A process keeps dying.
        """
        self._waiting_since = self._reminded = time.monotonic()
        while not all(child.ready for child in self._children):
            self._step(STARTING_POLL)
            self._remind()

    def run_to_end(
        self, name: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> str:
        """Runs a short-lived program while the others are watched; answers what it printed.

        Its standard error goes to the log, and into the message when it fails.
        """
        began = time.monotonic()
        descriptor = open_log(log)
        errors_from = log.stat().st_size
        with subprocess.Popen(  # noqa: S603 - the stack's own programs, no shell
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            env={**environment, **self._reaper.environment},
            start_new_session=True,
            text=True,
        ) as process:
            os.close(descriptor)
            self._reaper.guard(process.pid)
            self._steps.add(process.pid)
            try:
                while process.poll() is None:
                    self._step(STARTING_POLL)
            except (Stopped, StackError):
                process.kill()
                raise
            finally:
                process.wait()
                self._reaper.release(process.pid)
                self._steps.discard(process.pid)
            printed = process.stdout.read() if process.stdout else ""
        if process.returncode == SETTINGS_EXIT_CODE:
            message = log.read_bytes()[errors_from:].decode(errors="replace").strip()
            raise StackError(message, exit_code=SETTINGS_EXIT_CODE)
        if process.returncode != 0:
            raise StackError(f"{name} failed, see {log}\n{tail(log)}")
        self._report(f"{name:<11} done   {time.monotonic() - began:5.1f} s")
        return printed

    def run(self) -> NoReturn:
        """Watches until `Stopped` or `StackError`."""
        while True:
            restless = any(not child.ready for child in self._children)
            self._step(STARTING_POLL if restless else IDLE_POLL)

    def stop(self) -> None:
        """Ends all, the last started first; a further request to stop ends the patience."""
        requests = self._signals.requests
        for child in reversed(self._children):
            if child.exit_code() is None:
                child.ask_to_end()
                self._wait_for_end(child, child.spec.grace, requests)
            if child.process is not None and child.exit_code() is None:
                self._report(f"{child.spec.name} does not end, killing it")
                child.kill()
                self._wait_for_end(child, KILL_SECONDS, None)
                if child.process is not None and child.exit_code() is None:
                    child.process.kill()
                    child.process.wait()
            child.bury()
        self._children.clear()
        self._collect_orphans()

    def _collect_orphans(self) -> None:
        collect_orphans({self._reaper.pid, *self._steps, *self.pids.values()})

    def _wait_for_end(self, child: Child, seconds: float, requests: int | None) -> None:
        deadline = time.monotonic() + seconds
        while child.process is not None and child.exit_code() is None:
            impatient = requests is not None and self._signals.requests > max(requests, 1)
            if impatient or time.monotonic() > deadline:
                return
            self._signals.wait(STARTING_POLL)

    def _step(self, pause: float) -> None:
        if self._signals.requests:
            raise Stopped
        now = time.monotonic()
        for child in self._children:
            self._look_at(child, now)
        self._collect_orphans()
        self._signals.wait(pause)

    def _look_at(self, child: Child, now: float) -> None:
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.launch()
                self._changed()
        elif (code := child.exit_code()) is not None:
            self._after_death(child, code, now)
        elif not child.ready:
            self._look_whether_ready(child, now)

    def _look_whether_ready(self, child: Child, now: float) -> None:
        if child.spec.is_ready():
            child.ready = True
            seconds = time.monotonic() - child.started
            again = ", again" if child.was_ready else ""
            self._report(f"{child.spec.name:<11} ready  {seconds:5.1f} s{again}")
            child.was_ready = True
        elif child.overdue(now):
            self._report(f"{child.spec.name} is not ready after {child.spec.ready_seconds:.0f} s")
            child.kill()

    def _after_death(self, child: Child, code: int, now: float) -> None:
        child.bury()
        self._changed()
        reason = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        hopeless = code == SETTINGS_EXIT_CODE and not child.was_ready
        pause = None if hopeless else child.plan_restart(now)
        if pause is None:
            raise StackError(
                f"{child.spec.name} keeps failing ({reason}), see {child.spec.log}\n"
                f"{tail(child.spec.log)}"
            )
        self._report(f"{child.spec.name} ended ({reason}), starting it again in {pause:.1f} s")

    def _remind(self) -> None:
        now = time.monotonic()
        if now - self._reminded < PATIENCE_SECONDS:
            return
        self._reminded = now
        late = ", ".join(child.spec.name for child in self._children if not child.ready)
        self._report(f"waiting for {late} ({now - self._waiting_since:.0f} s)")
