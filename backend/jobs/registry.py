"""Which function does which job; every slice's tasks module registers its own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
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


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A function that does jobs of one name.

    Attributes
    ----------
    at_once
        How many of its jobs may run at a time over all workers; 0 for no limit.
    """

    work: "Task"
    at_once: int = 0


Task = Callable[[WorkerContext, bytes], Awaitable[None]]
_tasks: Final[dict[str, TaskSpec]] = {}
TASKS: Final[Mapping[str, TaskSpec]] = MappingProxyType(_tasks)


def task(name: str, *, at_once: int = 0) -> Callable[[Task], Task]:
    """Register the function as the one that does the jobs of this name (`slice.verb`)."""

    def register(function: Task) -> Task:
        if name in _tasks:
            raise ValueError(f"two tasks are named {name}")
        _tasks[name] = TaskSpec(function, at_once)
        return function

    return register


Chore = Callable[[WorkerContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ChoreSpec:
    """Something that every worker does again and again."""

    work: Chore
    every: timedelta


_chores: Final[list[ChoreSpec]] = []
CHORES: Final[Sequence[ChoreSpec]] = _chores


def periodic(*, every: timedelta) -> Callable[[Chore], Chore]:
    """Register a function that each worker calls at its start and then at this interval."""

    def register(function: Chore) -> Chore:
        _chores.append(ChoreSpec(function, every))
        return function

    return register


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """Something that one worker does at set times, whichever it is."""

    name: str
    work: Chore
    cron: str


_schedules: Final[list[ScheduleSpec]] = []
SCHEDULES: Final[Sequence[ScheduleSpec]] = _schedules


def scheduled(name: str, *, cron: str) -> Callable[[Chore], Chore]:
    """Register a function that the queue's scheduler has one worker call at these times (UTC)."""

    def register(function: Chore) -> Chore:
        _schedules.append(ScheduleSpec(name, function, cron))
        return function

    return register
