"""Work on tables in processes of their own: bounded in memory, killed when nobody waits for it.

polars and pyarrow start threads when they are loaded, so their processes are spawned, not forked;
a spare one is always loading its libraries while nobody needs it.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from weakref import WeakValueDictionary

from backend.core.errors import AppError, TooManyRequests, Unavailable, Unprocessable
from backend.core.logs import current_request_id
from backend.datasets.table_process import OUT_OF_MEMORY, Answer, serve
from backend.jobs.pipes import receive
from backend.settings import UploadSettings

_log = logging.getLogger(__name__)
WAITING_AT_MOST: Final = 32
# Of one user: the first of them runs, the others wait.
ASKED_AT_MOST: Final = 5
RETRY_AFTER: Final = 5
# The API comes first: a process that is ready a moment later is missed by nobody.
WARM_UP_AFTER_SECONDS: Final = 1.0
KILL_WAIT_SECONDS: Final = 5.0
# How a process ends whose memory ran out: by the library's abort, or by the kernel.
MEMORY_EXIT_CODES: Final = (-signal.SIGABRT, -signal.SIGKILL)
Report = Callable[[float, str], None]


class TooMuchMemory(Unprocessable):
    """The work needs more memory than it may take"""

    code = "memory_limit"


class TooMuchTime(Unprocessable):
    """The work takes longer than it may"""

    code = "time_limit"


class Unreadable(Unprocessable):
    """The process that worked on this table crashed"""

    code = "table_crash"


class _Process:
    """One spawned process and our end of its pipe."""

    def __init__(self, settings: UploadSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        self.process = context.Process(
            target=serve, args=(theirs, settings.max_memory_bytes, level), daemon=True
        )
        try:
            self.process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def kill(self) -> None:
        """Never blocks; whoever reads from the pipe comes to its end, and `reap` frees the rest."""
        with contextlib.suppress(ValueError, ProcessLookupError):
            self.process.kill()

    def reap(self) -> int | None:
        """Wait for its end; answers its exit code."""
        self.process.join(KILL_WAIT_SECONDS)
        code = self.process.exitcode
        self.connection.close()
        with contextlib.suppress(ValueError):
            self.process.close()
        return code


class TableShare:
    """What one user may have of the processes: one piece of work at a time, and a few that wait."""

    def __init__(self, tables: "TableProcesses", lane: asyncio.Semaphore | None) -> None:
        self._tables = tables
        self._lane = lane or contextlib.nullcontext()
        self._turn = asyncio.Lock()
        self._asked = 0

    def require_place(self) -> None:
        """Refuse what would have to wait behind too much, as a body before it is sent.

        Raises
        ------
        TooManyRequests, Unavailable
            The user waits for enough already, or too many others do.
        """
        if self._asked >= ASKED_AT_MOST:
            raise TooManyRequests(
                f"You wait for work on {self._asked} tables already. Try again once one is done.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        self._tables.require_place()

    async def run(self, target: str, *arguments: Any, **options: Any) -> Any:
        """As `TableProcesses.run`, when it is the user's turn."""
        self.require_place()
        self._asked += 1
        try:
            async with self._turn, self._lane:
                return await self._tables.run(target, *arguments, **options)
        finally:
            self._asked -= 1


class TableProcesses:
    """Runs functions, named "module:function", on tables; two at a time."""

    def __init__(self, settings: UploadSettings, *, at_once: int = 2) -> None:
        self._settings = settings
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._places = asyncio.Semaphore(at_once)
        # Whoever only looks leaves a process to those who keep something.
        self._looking = asyncio.Semaphore(max(1, at_once - 1))
        # Each lives as long as somebody uses it.
        self._shares: WeakValueDictionary[tuple[int, bool], TableShare] = WeakValueDictionary()
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        # A process dies with the thread that started it: one that lives as long as this.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="table-processes")

    def warm_up(self) -> None:
        """Start a process soon; nobody waits for it."""
        self._in_background(self._start_spare())

    async def close(self) -> None:
        """End all processes and wait until they are gone."""
        self._closing.set()
        for process in self._busy:
            process.kill()  # whoever waits for it gets an error, and reaps it
        while self._idle:
            self._end(self._idle.pop())
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._starter.shutdown()

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_spare(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), WARM_UP_AFTER_SECONDS)
        if not (self._idle or self._closing.is_set()):
            self._keep(await self._start())

    async def _start(self) -> _Process:
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._starter, _Process, self._settings)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread goes on: what it starts must not be left over.
            self._in_background(self._keep_started(starting))
            raise

    async def _keep_started(self, starting: "asyncio.Future[_Process]") -> None:
        self._keep(await asyncio.shield(starting))

    def _keep(self, process: _Process) -> None:
        if self._closing.is_set() or self._idle:
            self._end(process)
        else:
            self._idle.append(process)

    def _end(self, process: _Process) -> None:
        process.kill()
        self._in_background(asyncio.to_thread(process.reap))

    def share_of(self, user_id: int, *, looks: bool = False) -> TableShare:
        """The user's share of the processes; that of work which keeps nothing is another one."""
        share = self._shares.get((user_id, looks))
        if share is None:
            share = TableShare(self, self._looking if looks else None)
            self._shares[user_id, looks] = share
        return share

    def require_place(self) -> None:
        """Refuse what would have to wait behind too many.

        Raises
        ------
        Unavailable
            Too many wait already.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise Unavailable(
                "Many tables are being read. Try again in a moment.", retry_after=RETRY_AFTER
            )

    async def run(self, target: str, *arguments: Any, **options: Any) -> Any:
        """The function's answer, for no user's share; cancelling this coroutine kills its process.

        Arguments, answers and `AppError`s travel pickled.

        Raises
        ------
        AppError
            As the function raised it.
        TooMuchMemory, TooMuchTime, Unreadable
            The process was out of memory or time, or crashed.
        Unavailable
            Too many wait already.
        """
        self.require_place()
        self._waiting += 1
        try:
            async with self._places:
                if self._closing.is_set():
                    raise _stopping()
                answer = await self._ask(target, arguments, options)
        finally:
            self._waiting -= 1
        if answer.kind == "refused":
            assert isinstance(answer.content, AppError)  # noqa: S101  # what the kind means
            raise answer.content
        if answer.kind == "failed":
            _log.error("table work failed", extra={"target": target, "trace": answer.content})
            raise RuntimeError(f"{target} failed")
        return answer.content

    def _spare(self) -> _Process | None:
        """One that still lives: where memory is short, the kernel takes those that wait first."""
        while self._idle:
            process = self._idle.pop()
            if process.process.is_alive():
                return process
            self._end(process)
        return None

    async def _ask(
        self, target: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Answer:
        process = self._spare() or await self._start()
        self._busy.add(process)
        work = (current_request_id(), target, arguments, options)
        try:
            async with asyncio.timeout(self._settings.max_seconds):
                await asyncio.to_thread(process.connection.send, work)
                answer: Answer = await receive(process.connection)
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                self._end(process)
                raise self._too_slow(target) from None
            raise await self._died(process, target) from None
        except BaseException:
            self._end(process)
            raise
        finally:
            self._busy.discard(process)
        if answer.goes_on:
            self._keep(process)
        else:
            self._end(process)
            self.warm_up()
        return answer

    def _too_slow(self, target: str) -> TooMuchTime:
        _log.warning("table work took too long", extra={"target": target})
        self.warm_up()
        return TooMuchTime(
            f"This took longer than {self._settings.max_seconds:,} seconds. Nothing was stored. "
            "Take fewer rows or columns."
        )

    async def _died(self, process: _Process, target: str) -> AppError:
        process.kill()
        code = await asyncio.to_thread(process.reap)
        if self._closing.is_set():
            return _stopping()
        _log.warning("table process died", extra={"target": target, "exit_code": code})
        self.warm_up()
        if code == OUT_OF_MEMORY or code in MEMORY_EXIT_CODES:
            return TooMuchMemory(
                "This table needs more memory than one piece of work may take. Nothing was "
                "stored. Take fewer rows or columns."
            )
        return Unreadable(
            "The process that worked on this crashed, as it does over damaged files. Nothing was "
            "stored. Write the file anew, perhaps as CSV."
        )


def _stopping() -> Unavailable:
    return Unavailable("The server is stopping. Try again in a moment.")
