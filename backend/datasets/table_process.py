"""Inside a process that works on tables; loads nothing heavy before it is one."""

import contextlib
import os
import pkgutil
import resource
import signal
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal

from backend.core.errors import AppError
from backend.core.logs import bind_request, configure_logging
from backend.datasets.workspaces import DiskFull, tells_full_disk
from backend.jobs.children import die_with_parent
from backend.storage.blobs import find_missing

PRELOADED: Final = ("backend.datasets.contents", "backend.datasets.cleaning")
# A process that grew beyond this ends with its work; its memory would not come back otherwise.
KEPT_BELOW_BYTES: Final = 400_000_000
# Exit code of a process that noticed itself.
OUT_OF_MEMORY: Final = 77
OOM_SCORE: Final = 500
# Requests that wait for nothing else come first.
NICENESS: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a piece of work, and whether the process takes another."""

    kind: Literal["result", "refused", "failed"]
    content: Any
    goes_on: bool


def serve(connection: Connection, max_memory_bytes: int, log_level: str) -> None:
    """Entry of the process: does one piece of work after another until the pipe closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    configure_logging(log_level)
    # Of what is written to, unlike RLIMIT_AS: libraries map far more than they use.
    resource.setrlimit(resource.RLIMIT_DATA, (max_memory_bytes, max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where the machine's memory ends before ours, this process goes and not the API.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{OOM_SCORE}")
    for name in PRELOADED:
        # What cannot be loaded is told by the work that needs it.
        with contextlib.suppress(Exception):
            pkgutil.resolve_name(name)
    goes_on = True
    with contextlib.suppress(EOFError, OSError):
        while goes_on:
            request_id, target, arguments, options = connection.recv()
            bind_request(request_id)
            kind, content = _do(target, arguments, options)
            goes_on = _resident_bytes() < KEPT_BELOW_BYTES
            connection.send(Answer(kind, content, goes_on))
    # Skips interpreter shutdown: threads of polars may be left in any state.
    os._exit(0)


def _do(
    target: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Literal["result", "refused", "failed"], Any]:
    try:
        return "result", pkgutil.resolve_name(target)(*arguments, **options)
    except AppError as error:
        return "refused", error
    except BaseException as error:  # the border of the process; a panic in Rust is no Exception
        if _tells_no_memory(error):
            os._exit(OUT_OF_MEMORY)
        if isinstance(error, OSError) and tells_full_disk(error):
            return "refused", DiskFull()
        if isinstance(error, FileNotFoundError) and (missing := find_missing(error)):
            return "refused", missing
        return "failed", "".join(traceback.format_exception(error))


def _tells_no_memory(error: BaseException) -> bool:
    """Libraries in Rust say so in their text alone, or find no room for one more thread."""
    texts = ("Cannot allocate memory", "memory allocation", "Resource temporarily unavailable")
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
