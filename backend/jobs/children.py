"""Work in child processes: can be killed at once, cannot outlive the worker, cannot take it down.

A fork server has the science libraries loaded, and some children wait for work in advance, so that
work starts in a millisecond. A child does one piece of work and ends.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import pkgutil
import signal
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from backend.core.logs import bind_job, configure_logging, current_job_id, current_request_id
from backend.jobs.pipes import receive
from backend.jobs.sandbox import (
    Bounds,
    apply_bounds,
    cut_network,
    die_with_parent,
    is_want_of_memory,
    peak_memory_bytes,
)

_log = logging.getLogger(__name__)
KILL_WAIT_SECONDS: Final = 5.0
# A child that dies while it waits is replaced; a fork server that cannot start one is a failure.
MAX_STARTS: Final = 3
UNBOUNDED: Final = Bounds()

OnProgress = Callable[[float, str], Awaitable[None]]
# Called with a kind and its content: what `Report.tell` said, and `usage` at the end.
OnEvent = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class ChildDied(RuntimeError):
    """The child process ended without an answer."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the process ended with code {exit_code}")
        self.exit_code = exit_code


class ChildTookTooLong(RuntimeError):
    """The work did not end within its limit."""


class ChildOutOfMemory(RuntimeError):
    """The work asked for more memory than its bounds allow."""


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
        self.message = message
        self.trace = trace


@dataclass(frozen=True, slots=True)
class Work:
    """What a child does: `target` ("module:function") called with a request and a reporter.

    Attributes
    ----------
    sealed
        Without network, where the system allows that.
    """

    target: str
    request: dict[str, Any]
    niceness: int = 0
    bounds: Bounds = UNBOUNDED
    sealed: bool = False


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


@dataclass(frozen=True, slots=True)
class _Child:
    """A started process that waits for its work, and both pipes to it."""

    process: BaseProcess
    answers: Connection
    # The child reads it to its end, which comes when this process is gone.
    orders: Connection
    has_network: bool

    def close(self) -> None:
        _kill(self.process)
        self.answers.close()
        self.orders.close()


class ChildProcesses:
    """Starts children from a fork server that has the named modules loaded.

    `ready` is how many sealed ones wait for work in advance.
    """

    def __init__(self, preload: Sequence[str], *, ready: int = 0) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._ready = ready
        self._waiting: list[_Child] = []
        self._refilling = asyncio.Lock()
        self._beside: set[asyncio.Task[Any]] = set()
        self._has_told = False
        self._warm = asyncio.Event()

    def warm_up(self) -> None:
        """Start the fork server; it loads its modules while the worker goes on."""
        multiprocessing.forkserver.ensure_running()
        self._do_beside(self._refill())

    async def wait_until_warm(self) -> None:
        """Until the first children wait for work, or could not be started."""
        await self._warm.wait()

    async def close(self) -> None:
        """End the children that wait for work."""
        for task in tuple(self._beside):
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        while self._waiting:
            self._waiting.pop().close()

    async def run(
        self, work: Work, on_progress: OnProgress, on_event: OnEvent | None = None
    ) -> dict[str, Any]:
        """Run the work in a child; cancelling this coroutine kills the child.

        Raises
        ------
        ChildRefused, ChildFailed, ChildDied, ChildOutOfMemory
            The work was refused, raised, its process ended without an answer, or it wanted more
            memory than its bounds allow.
        """
        child = await self._take(sealed=work.sealed)
        try:
            with contextlib.suppress(BrokenPipeError):
                await asyncio.to_thread(child.orders.send, (work, _Origin.here()))
            return await self._listen(child, on_progress, on_event)
        finally:
            child.close()
            # It is dead already; nobody has to wait until its exit code was collected.
            self._do_beside(asyncio.to_thread(child.process.join, KILL_WAIT_SECONDS))
            if work.sealed:
                self._do_beside(self._refill())

    async def run_watched(
        self,
        work: Work,
        on_progress: OnProgress,
        watch: Callable[[], Awaitable[None]],
        *,
        on_event: OnEvent | None = None,
    ) -> dict[str, Any]:
        """Run the work beside a watch, whose error ends the child.

        Raises
        ------
        ChildTookTooLong
            The work took longer than its bounds allow.
        """
        child = asyncio.create_task(self.run(work, on_progress, on_event))
        watching = asyncio.ensure_future(watch())
        try:
            done, _ = await asyncio.wait(
                {child, watching},
                timeout=work.bounds.seconds,
                return_when=asyncio.FIRST_COMPLETED,
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

    def _do_beside(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _refill(self) -> None:
        """Keep as many children waiting as there should be."""
        async with self._refilling:
            try:
                while len(self._waiting) < self._ready:
                    self._waiting.append(await self._start(sealed=True))
            except (OSError, EOFError) as error:
                # The work itself starts one, and says what is wrong.
                _log.warning("no child could wait for work", extra={"reason": repr(error)})
            finally:
                self._warm.set()

    async def _take(self, *, sealed: bool) -> _Child:
        """A child that lives: one that waits, or a new one."""
        while sealed and self._waiting:
            child = self._waiting.pop()
            if child.process.is_alive():
                return child
            child.close()
        for _ in range(MAX_STARTS - 1):
            with contextlib.suppress(EOFError, ConnectionError):
                return await self._start(sealed=sealed)
        return await self._start(sealed=sealed)

    async def _start(self, *, sealed: bool) -> _Child:
        answers, sender = self._context.Pipe(duplex=False)
        inbox, orders = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_child, args=(sender, inbox, sealed), daemon=True)
        try:
            try:
                await asyncio.to_thread(process.start)
            finally:
                sender.close()
                inbox.close()
            has_network = bool(await receive(answers))
        except BaseException:
            # The child, should there be one, reads the end of its orders.
            answers.close()
            orders.close()
            raise
        if sealed and not self._has_told:
            self._has_told = True
            _log.info("fits run %s network", "with" if has_network else "without")
        return _Child(process, answers, orders, has_network)

    async def _listen(
        self, child: _Child, on_progress: OnProgress, on_event: OnEvent | None
    ) -> dict[str, Any]:
        while True:
            try:
                kind, content = await receive(child.answers)
            except (EOFError, ConnectionError):
                await asyncio.to_thread(child.process.join, KILL_WAIT_SECONDS)
                raise ChildDied(child.process.exitcode) from None
            if kind == "progress":
                await on_progress(*content)
            elif kind == "event":
                if on_event is not None:
                    await on_event(*content)
            elif kind == "memory":
                raise ChildOutOfMemory(*content)
            elif kind == "refused":
                raise ChildRefused(*content)
            elif kind == "failed":
                raise ChildFailed(*content)
            else:
                result: dict[str, Any] = content
                return result


def _kill(process: BaseProcess) -> None:
    """The child leads a group of its own: kill it with whatever it started."""
    if process.pid is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()


class _Reporter:
    """What the work reports to; `science.reporting.Report` says what it may tell."""

    def __init__(self, sender: Connection) -> None:
        self._sender = sender

    def __call__(self, share: float, message: str, /) -> None:
        self._sender.send(("progress", (float(share), message)))

    def tell(self, kind: str, content: Mapping[str, Any], /) -> None:
        """Something that stays."""
        self._sender.send(("event", (kind, dict(content))))


def _child(sender: Connection, inbox: Connection, sealed: bool) -> None:
    """Entry of the child process: wait for the work, do it, and end."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    try:
        sender.send(not (sealed and cut_network()))
        work, origin = inbox.recv()
    except (EOFError, OSError):
        os._exit(0)
    threading.Thread(target=_follow, args=(inbox,), daemon=True).start()
    os.nice(work.niceness)
    apply_bounds(work.bounds)
    origin.bind()
    reporter = _Reporter(sender)
    try:
        answer = ("result", pkgutil.resolve_name(work.target)(work.request, reporter))
    except Exception as error:  # the border of the process: everything is reported
        answer = _describe(error, is_bounded=work.bounds.memory_bytes is not None)
    reporter.tell("usage", {"peak_memory_bytes": peak_memory_bytes()})
    sender.send(answer)
    sender.close()
    # Skips interpreter shutdown, which takes longer than many fits.
    os._exit(0)


def _describe(error: Exception, *, is_bounded: bool) -> tuple[str, tuple[Any, ...]]:
    if getattr(error, "is_refusal", False):
        return "refused", (str(error), getattr(error, "column", None))
    if is_bounded and (isinstance(error, MemoryError) or is_want_of_memory(str(error))):
        return "memory", (str(error)[:2_000],)
    trace = "".join(traceback.format_exception(error))
    return "failed", (type(error).__name__, str(error)[:2_000], trace)


def _follow(inbox: Connection) -> None:
    """Any platform: end with the worker."""
    with contextlib.suppress(EOFError, OSError):
        inbox.recv_bytes()
    os.killpg(0, signal.SIGKILL)
