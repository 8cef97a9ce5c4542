"""Which function does which job; every slice's tasks module registers its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from backend.core.db import SessionFactory
from backend.jobs.children import ChildProcesses
from backend.settings import Settings
from backend.storage.blobs import BlobStore


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a task may use."""

    settings: Settings
    sessions: SessionFactory
    blobs: BlobStore
    children: ChildProcesses


Task = Callable[[WorkerContext, bytes], Awaitable[None]]
_tasks: Final[dict[str, Task]] = {}
TASKS: Final[Mapping[str, Task]] = MappingProxyType(_tasks)


def task(name: str) -> Callable[[Task], Task]:
    """Register the function as the one that does the jobs of this name (`slice.verb`)."""

    def register(function: Task) -> Task:
        if name in _tasks:
            raise ValueError(f"two tasks are named {name}")
        _tasks[name] = function
        return function

    return register
