"""How much waits, runs and has failed: what metrics and health both tell, asked in one place."""

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Float, case, cast, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.access import SYSTEM
from backend.jobs.driver import WORKER_PREFIX
from backend.jobs.table import QueuedJob
from backend.projects.repository import visible_in_project
from backend.settings import Settings
from backend.tables import Fit, Retraining

WAITING: Final = "waiting"
HEARTBEAT_FILE: Final = "run/worker.heartbeat"


@dataclass(frozen=True, slots=True)
class QueueCount:
    """Jobs of one kind in one state, and the age of the oldest in seconds."""

    entrypoint: str
    state: str
    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at the database."""

    queue: tuple[QueueCount, ...]
    fits: dict[str, int]
    retrainings: dict[str, int]
    unrecorded_fits: int
    unrecorded_oldest_seconds: float
    workers: int

    @property
    def oldest_waiting_seconds(self) -> float:
        return max((row.oldest_seconds for row in self.queue if row.state == WAITING), default=0.0)

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by state over all kinds."""
        total: dict[str, int] = {}
        for row in self.queue:
            total[row.state] = total.get(row.state, 0) + row.count
        return total


def heartbeat_age(settings: Settings) -> float | None:
    """Seconds since a worker on this machine showed that it lives; None where none ever did."""
    heartbeat = settings.home / HEARTBEAT_FILE
    return time.time() - heartbeat.stat().st_mtime if heartbeat.exists() else None


def job_state() -> ColumnElement[str]:
    """What the queue calls queued is either due, or put off until a later time."""
    return case(
        (QueuedJob.status == "picked", literal("running")),
        (QueuedJob.status == "failed", literal("failed")),
        (QueuedJob.execute_after > func.now(), literal("delayed")),
        else_=literal(WAITING),
    )


async def look(session: AsyncSession) -> Facts:
    """Ask the database; trashed fits count, so that the numbers only grow."""
    unrecorded, unrecorded_oldest = await _unrecorded(session)
    return Facts(
        queue=await _queue(session),
        fits=await _by_state(session, Fit.state),
        retrainings=await _by_state(session, Retraining.state),
        unrecorded_fits=unrecorded,
        unrecorded_oldest_seconds=unrecorded_oldest,
        workers=await _workers(session),
    )


def _age(column: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    """Seconds since the oldest of a group."""
    return cast(func.extract("epoch", func.now() - func.min(column)), Float)


async def _queue(session: AsyncSession) -> tuple[QueueCount, ...]:
    # Where a job was put off, it waits from the moment at which it became due.
    due = func.greatest(QueuedJob.created, QueuedJob.execute_after)
    state = job_state().label("state")
    oldest = cast(func.extract("epoch", func.now() - func.min(due)), Float)
    statement = select(QueuedJob.entrypoint, state, func.count(), oldest).group_by(
        QueuedJob.entrypoint, state
    )
    rows = await session.execute(statement)
    return tuple(QueueCount(name, where, count, max(age, 0.0)) for name, where, count, age in rows)


async def _by_state(session: AsyncSession, column: InstrumentedAttribute[str]) -> dict[str, int]:
    rows = await session.execute(select(column, func.count()).group_by(column))
    return {state: count for state, count in rows.all()}  # noqa: C416  # a Row is typed as no pair


async def _unrecorded(session: AsyncSession) -> tuple[int, float]:
    statement = select(func.count(), _age(Fit.finished_at)).where(
        visible_in_project(Fit.project_id, SYSTEM),
        Fit.state == "succeeded",
        Fit.tracking == "pending",
        Fit.trashed_at.is_(None),
    )
    count, age = (await session.execute(statement)).one()
    return count, age or 0.0


async def _workers(session: AsyncSession) -> int:
    """Workers that are connected to this database, by the name under which they connect."""
    statement = text(
        "select count(distinct application_name) from pg_stat_activity"
        " where datname = current_database() and starts_with(application_name, :prefix)"
    )
    count: int = (await session.execute(statement, {"prefix": WORKER_PREFIX})).scalar_one()
    return count
