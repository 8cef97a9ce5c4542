"""Work in child processes: can be killed at once, cannot outlive the worker, cannot take it down.

A fork server has the science libraries loaded, so a child starts in a tenth of a second.
"""

import asyncio
import contextlib
import ctypes
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from backend.core.logs import bind_job, configure_logging, current_job_id, current_request_id
from backend.jobs.pipes import receive

PR_SET_PDEATHSIG: Final = 1
KILL_WAIT_SECONDS: Final = 5.0

OnProgress = Callable[[float, str], Awaitable[None]]


class ChildDied(RuntimeError):
    """The child process ended without an answer."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the process ended with code {exit_code}")
        self.exit_code = exit_code


class ChildTookTooLong(RuntimeError):
    """The work did not end within its limit."""


class ChildRefused(RuntimeError):
    """The work was refused for a reason that its owner should read."""

    def __init__(self, message: str, column: str | None) -> None:
        super().__init__(message)
        self.column = column


class ChildFailed(RuntimeError):
    """The work raised; carries the traceback for the log and one line for people."""

    def __init__(self, kind: str, message: str, trace: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.trace = trace


@dataclass(frozen=True, slots=True)
class Work:
    """What a child does: `target` ("module:function") called with a request and a reporter."""

    target: str
    request: dict[str, Any]
    niceness: int = 0


@dataclass(frozen=True, slots=True)
class _Origin:
    """What the child's log lines share with those of its worker."""

    request_id: str
    job_id: int | None
    log_level: str

    @classmethod
    def here(cls) -> "_Origin":
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        return cls(current_request_id(), current_job_id(), level)

    def bind(self) -> None:
        configure_logging(self.log_level)
        bind_job(self.job_id, self.request_id)


class ChildProcesses:
    """Starts children from a fork server that has the named modules loaded."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._reaping: set[asyncio.Task[None]] = set()

    def warm_up(self) -> None:
        """Start the fork server; it loads its modules while the worker goes on."""
        multiprocessing.forkserver.ensure_running()

    async def run(self, work: Work, on_progress: OnProgress) -> dict[str, Any]:
        """Run the work in a child; cancelling this coroutine kills the child.

        Raises
        ------
        ChildRefused, ChildFailed, ChildDied
            The work was refused, raised, or its process ended without an answer.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        # The child reads the lifeline to its end, which comes when this process is gone.
        lifeline, held = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_child, args=(sender, lifeline, work, _Origin.here()), daemon=True
        )
        try:
            await asyncio.to_thread(process.start)
            sender.close()
            lifeline.close()
            return await self._listen(receiver, process, on_progress)
        finally:
            _kill(process)
            receiver.close()
            held.close()
            # It is dead already; nobody has to wait until its exit code was collected.
            reaping = asyncio.create_task(asyncio.to_thread(process.join, KILL_WAIT_SECONDS))
            self._reaping.add(reaping)
            reaping.add_done_callback(self._reaping.discard)

    async def run_watched(
        self,
        work: Work,
        on_progress: OnProgress,
        watch: Callable[[], Awaitable[None]],
        *,
        limit_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Run the work beside a watch, whose error ends the child.

        Raises
        ------
        ChildTookTooLong
            The work took longer than its limit.
        """
        child = asyncio.create_task(self.run(work, on_progress))
        watching = asyncio.ensure_future(watch())
        try:
            done, _ = await asyncio.wait(
                {child, watching}, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise ChildTookTooLong
            if watching in done:
                watching.result()
            return await child
        finally:
            for running in (child, watching):
                running.cancel()
            await asyncio.gather(child, watching, return_exceptions=True)

    async def _listen(
        self,
        receiver: Connection,
        process: multiprocessing.process.BaseProcess,
        on_progress: OnProgress,
    ) -> dict[str, Any]:
        while True:
            try:
                kind, content = await receive(receiver)
            except EOFError:
                await asyncio.to_thread(process.join, KILL_WAIT_SECONDS)
                raise ChildDied(process.exitcode) from None
            if kind == "progress":
                await on_progress(*content)
            elif kind == "refused":
                raise ChildRefused(*content)
            elif kind == "failed":
                raise ChildFailed(*content)
            else:
                result: dict[str, Any] = content
                return result


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """The child leads a group of its own: kill it with whatever it started."""
    if process.pid is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _child(sender: Connection, lifeline: Connection, work: Work, origin: _Origin) -> None:
    """Entry of the child process."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    threading.Thread(target=_follow, args=(lifeline,), daemon=True).start()
    os.nice(work.niceness)
    origin.bind()
    function = pkgutil.resolve_name(work.target)

    def report(fraction: float, message: str) -> None:
        sender.send(("progress", (float(fraction), message)))

    try:
        answer = ("result", function(work.request, report))
    except Exception as error:  # the border of the process: everything is reported
        answer = _describe(error)
    sender.send(answer)
    sender.close()
    # Skips interpreter shutdown, which takes longer than many fits.
    os._exit(0)


def _describe(error: Exception) -> tuple[str, tuple[Any, ...]]:
    if getattr(error, "is_refusal", False):
        return "refused", (str(error), getattr(error, "column", None))
    trace = "".join(traceback.format_exception(error))
    return "failed", (type(error).__name__, str(error)[:2_000], trace)


def die_with_parent() -> None:
    """Linux: the kernel kills this process with the fork server, even inside C code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _follow(lifeline: Connection) -> None:
    """Any platform: end with the worker."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os.killpg(0, signal.SIGKILL)
