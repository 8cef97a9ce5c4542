"""Second runs of a fit: asked for, listed, cancelled, and the worker's short transactions."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from backend.core import audit
from backend.core.access import SYSTEM, Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import Absent, Conflict, TooManyRequests
from backend.core.schemas import Id, Schema
from backend.fits.claiming import Claim
from backend.fits.limits import terms_of
from backend.fits.queueing import hold_turns
from backend.fits.repository import FitRepository
from backend.fits.result_schemas import ReproductionOut
from backend.fits.service import finished_fit
from backend.jobs import queue
from backend.projects.service import require_editor
from backend.settings import FitSettings
from backend.tables import DatasetVersion, Fit, Reproduction

REPRODUCE_FIT: Final = "fits.reproduce"
# Somebody waits for it, but less than for a fit.
PRIORITY: Final = 3
OPEN_STATES: Final = ("queued", "running")
MOST_ATTEMPTS: Final = 3
# Of one user: all users share one place.
MOST_OPEN: Final = 3


class ReproductionPayload(Schema):
    """The job that runs a fit again; old workers leave versions they do not know."""

    version: int = 1
    reproduction_id: Id


@dataclass(frozen=True, slots=True)
class Repeat:
    """The right to run a fit again, and what came out the first time."""

    reproduction_id: int
    attempt: int
    may_be_lost: bool
    fit: Claim
    outcome: dict[str, Any]
    environment: dict[str, Any]
    artifacts: dict[str, Any]


def reproduction_out(row: Reproduction) -> ReproductionOut:
    """As it is answered."""
    names = ReproductionOut.model_fields.keys() - {"created_by"}
    content = {name: getattr(row, name) for name in names}
    return ReproductionOut.model_validate({**content, "created_by": row.creator.username})


def _of(fit_id: int) -> Select[Reproduction]:
    wanted = select(Reproduction).where(Reproduction.fit_id == fit_id)
    return wanted.options(joinedload(Reproduction.creator)).execution_options(
        populate_existing=True
    )


async def start(session: AsyncSession, viewer: Viewer, fit_id: int) -> Reproduction:
    """Queue a second run; while one waits or runs, it is the one that is meant."""
    fit = await finished_fit(session, viewer, fit_id)
    await require_editor(session, viewer, fit.project_id)
    await hold_turns(session, viewer.user_id)
    await session.execute(select(Fit.id).where(Fit.id == fit_id).with_for_update())
    is_open = _of(fit_id).where(Reproduction.state.in_(OPEN_STATES)).limit(1)
    if (found := (await session.execute(is_open)).scalar_one_or_none()) is not None:
        return found
    theirs = select(func.count()).select_from(Reproduction)
    theirs = theirs.where(
        Reproduction.created_by == viewer.user_id, Reproduction.state.in_(OPEN_STATES)
    )
    waiting = (await session.execute(theirs)).scalar_one()
    if waiting >= MOST_OPEN:
        raise TooManyRequests(
            f"You have {waiting} unfinished second runs. Wait for one, or cancel one.",
            headers={"Retry-After": "10"},
        )
    row = Reproduction(fit_id=fit_id, created_by=viewer.user_id)
    session.add(row)
    await session.flush()
    await enqueue(session, row.id, waiting)
    audit.record(session, viewer, Action.FIT_REPRODUCED, about(fit), details={"id": row.id})
    return await _get(session, fit_id, row.id)


async def enqueue(session: AsyncSession, reproduction_id: int, before: int) -> None:
    """Queue its job, unless it is queued already; after those of users who wait for fewer."""
    payload = ReproductionPayload(reproduction_id=reproduction_id)
    await queue.enqueue(
        session, REPRODUCE_FIT, payload, key=str(reproduction_id), priority=PRIORITY - before
    )


async def _get(session: AsyncSession, fit_id: int, reproduction_id: int) -> Reproduction:
    wanted = _of(fit_id).where(Reproduction.id == reproduction_id)
    row = (await session.execute(wanted)).scalar_one_or_none()
    if row is None:
        raise Absent("There is no such reproduction of this fit.")
    return row


async def read(
    session: AsyncSession, viewer: Viewer, fit_id: int, reproduction_id: int
) -> Reproduction:
    """One second run of a fit that the viewer may see."""
    await FitRepository(session, viewer).get_results(fit_id)
    return await _get(session, fit_id, reproduction_id)


async def list_all(session: AsyncSession, viewer: Viewer, fit_id: int) -> list[Reproduction]:
    """The newest second runs of a fit that the viewer may see, the newest first."""
    await FitRepository(session, viewer).get_results(fit_id)
    newest = _of(fit_id).order_by(Reproduction.id.desc()).limit(100)
    return list((await session.execute(newest)).scalars())


async def cancel(
    session: AsyncSession, viewer: Viewer, fit_id: int, reproduction_id: int
) -> Reproduction:
    """Final with this transaction; the worker finds out within a second and ends its process."""
    fit = await FitRepository(session, viewer).get_results(fit_id)
    await require_editor(session, viewer, fit.project_id, also_archived=True)
    row = await _get(session, fit_id, reproduction_id)
    statement = (
        update(Reproduction)
        .where(Reproduction.id == row.id, Reproduction.state.in_(OPEN_STATES))
        .values(state="cancelled", finished_at=await database_time(session))
        .returning(Reproduction.id)
    )
    if (await session.execute(statement)).scalar_one_or_none() is None:
        raise Conflict(f"This reproduction is {row.state} already.", code="illegal_transition")
    audit.record(
        session, viewer, Action.FIT_REPRODUCTION_CANCELLED, about(fit), details={"id": row.id}
    )
    return await _get(session, fit_id, reproduction_id)


async def end_reproductions(session: AsyncSession, viewer: Viewer, fit: Fit) -> None:
    """Of a fit that the caller holds and puts in the trash."""
    ended = (
        update(Reproduction)
        .where(Reproduction.fit_id == fit.id, Reproduction.state.in_(OPEN_STATES))
        .values(state="cancelled", finished_at=await database_time(session))
        .returning(Reproduction.id)
    )
    for number in (await session.execute(ended)).scalars().all():
        audit.record(
            session, viewer, Action.FIT_REPRODUCTION_CANCELLED, about(fit), details={"id": number}
        )


async def claim(session: AsyncSession, reproduction_id: int, limits: FitSettings) -> Repeat | None:
    """Take a second run; None when it has ended, its fit is gone, or it was lost too often."""
    row = await session.get(Reproduction, reproduction_id, with_for_update=True)
    if row is None or row.state not in OPEN_STATES:
        return None
    fit = await FitRepository(session, SYSTEM).find(row.fit_id)
    problem = None
    if fit is None:
        problem = "The fit was deleted."
    elif fit.dataset.purged_at is not None:
        problem = "The dataset was deleted, and its files with it."
    elif row.attempt >= MOST_ATTEMPTS:
        problem = f"The worker was lost {row.attempt} times while it ran this fit again."
    if fit is None or problem is not None:
        row.state, row.error, row.finished_at = "failed", problem, func.now()
        await session.flush()
        return None
    row.state, row.attempt, row.progress, row.progress_message = (
        "running",
        row.attempt + 1,
        0.0,
        "Starting",
    )
    await session.flush()
    version = await session.get_one(DatasetVersion, fit.dataset_version_id, populate_existing=True)
    held = Claim(
        fit_id=fit.id,
        attempt=fit.attempt,
        lost_attempts=fit.lost_attempts,
        spec=dict(fit.spec),
        parquet_sha256=version.parquet_sha256,
        columns=version.columns,
        withheld=fit.withheld,
        split_sha256=fit.split_sha256,
        request_id=None,
        leaderboard_id=None,
        is_purged=False,
        terms=terms_of(fit.time_limit_seconds, fit.memory_limit_bytes, limits),
    )
    return Repeat(
        reproduction_id=row.id,
        attempt=row.attempt,
        may_be_lost=row.attempt < MOST_ATTEMPTS,
        fit=held,
        outcome=dict(fit.outcome),
        environment=dict(fit.environment),
        artifacts=dict(fit.artifacts),
    )


def _held(repeat: Repeat) -> ColumnElement[bool]:
    """True only while this attempt is the newest and nobody cancelled."""
    return and_(
        Reproduction.id == repeat.reproduction_id,
        Reproduction.attempt == repeat.attempt,
        Reproduction.state == "running",
    )


async def write(session: AsyncSession, repeat: Repeat, **values: Any) -> bool:
    """Change the row; False when the claim no longer holds."""
    statement = update(Reproduction).where(_held(repeat)).values(**values)
    changed = await session.execute(statement.returning(Reproduction.id))
    return changed.scalar_one_or_none() is not None


async def finish(session: AsyncSession, repeat: Repeat, state: str, **values: Any) -> bool:
    """End it; False when the claim no longer holds."""
    return await write(session, repeat, state=state, finished_at=func.now(), **values)


async def list_open(session: AsyncSession) -> list[tuple[int, int]]:
    """What waits or runs, whatever became of its job; with how many of its user come before."""
    place = func.row_number().over(partition_by=Reproduction.created_by, order_by=Reproduction.id)
    wanted = select(Reproduction.id, place - 1).where(Reproduction.state.in_(OPEN_STATES))
    found = await session.execute(wanted.order_by(Reproduction.id).limit(200))
    return [(number, before) for number, before in found]
