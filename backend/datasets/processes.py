"""Work on tables in processes of their own: bounded in memory, killed when nobody waits for it.

polars and pyarrow start threads when they are loaded, so their processes are spawned, not forked;
a spare one is always loading its libraries while nobody needs it.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import pkgutil
import resource
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from backend.core.errors import AppError, Unavailable, Unprocessable
from backend.core.logs import configure_logging
from backend.settings import UploadSettings

_log = logging.getLogger(__name__)
PRELOADED: Final = ("backend.datasets.contents", "backend.datasets.cleaning")
# A process that grew beyond this ends with its work; its memory would not come back otherwise.
KEPT_BELOW_BYTES: Final = 400_000_000
WAITING_AT_MOST: Final = 32
Report = Callable[[float, str], None]


class TooMuchMemory(Unprocessable):
    """The work needs more memory than it may take"""

    code = "memory_limit"


class _Process:
    """One spawned process and the two ends of its pipe."""

    def __init__(self, settings: UploadSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, settings.max_memory_bytes, level), daemon=True
        )
        self.process.start()
        theirs.close()

    def kill(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join(5)


class TableProcesses:
    """Runs functions, named "module:function", on tables; two at a time."""

    def __init__(self, settings: UploadSettings, *, at_once: int = 2) -> None:
        self._settings = settings
        self._idle: list[_Process] = []
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._starting: set[asyncio.Task[None]] = set()
        self._closed = False

    def warm_up(self) -> None:
        """Start a process; nobody waits for it."""
        task = asyncio.ensure_future(self._start_spare())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def close(self) -> None:
        """End all processes that are idle; the others end with their work."""
        self._closed = True
        for idle in self._idle:
            idle.kill()
        self._idle.clear()

    async def _start_spare(self) -> None:
        made = await asyncio.to_thread(_Process, self._settings)
        self._keep(made)

    def _keep(self, process: _Process) -> None:
        if self._closed or self._idle:
            process.kill()
        else:
            self._idle.append(process)

    async def run(self, target: str, *arguments: Any, **options: Any) -> Any:
        """The function's answer; cancelling this coroutine kills its process.

        Arguments, answers and `AppError`s travel pickled.

        Raises
        ------
        AppError
            As the function raised it.
        TooMuchMemory, Unavailable
            The process was out of memory or died; too many wait already.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise Unavailable("Many tables are being read. Try again in a moment.", retry_after=5)
        self._waiting += 1
        try:
            async with self._places:
                return await self._run(target, arguments, options)
        finally:
            self._waiting -= 1

    async def _run(self, target: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        process = (
            self._idle.pop() if self._idle else await asyncio.to_thread(_Process, self._settings)
        )
        try:
            await asyncio.to_thread(process.connection.send, (target, arguments, options))
            kind, content, goes_on = await _receive(process.connection)
        except (EOFError, OSError):
            process.kill()
            self.warm_up()
            raise TooMuchMemory(
                "This table needs more memory than one piece of work may take. Nothing was "
                "stored. Take fewer rows or columns."
            ) from None
        except BaseException:
            process.kill()
            raise
        if goes_on:
            self._keep(process)
        else:
            process.kill()
            self.warm_up()
        if kind == "refused":
            raise content
        if kind == "failed":
            _log.error("table work failed", extra={"target": target, "trace": content})
            raise RuntimeError(f"{target} failed")
        return content


async def _receive(connection: Connection) -> tuple[str, Any, bool]:
    """Wait without a thread, so that cancelling takes effect at once."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection.fileno())
    answer: tuple[str, Any, bool] = await asyncio.to_thread(connection.recv)
    return answer


def _serve(connection: Connection, max_memory_bytes: int, log_level: str) -> None:
    """Entry of the process: does one piece of work after another until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging(log_level)
    resource.setrlimit(resource.RLIMIT_DATA, (max_memory_bytes, max_memory_bytes))
    for name in PRELOADED:
        pkgutil.resolve_name(name)
    with contextlib.suppress(EOFError, OSError):
        while True:
            target, arguments, options = connection.recv()
            kind, content = _do(target, arguments, options)
            goes_on = kind != "out_of_memory" and _resident_bytes() < KEPT_BELOW_BYTES
            if kind == "out_of_memory":
                break
            connection.send((kind, content, goes_on))
            if not goes_on:
                break
    # Skips interpreter shutdown: threads of polars may be left in any state.
    os._exit(0)


def _do(target: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, Any]:
    try:
        return "result", pkgutil.resolve_name(target)(*arguments, **options)
    except AppError as error:
        return "refused", error
    except MemoryError:
        return "out_of_memory", None
    except Exception as error:  # the border of the process: everything is reported
        return "failed", "".join(traceback.format_exception(error))


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
