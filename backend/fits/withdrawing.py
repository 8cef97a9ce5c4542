"""A moved fit's run leaves MLflow at once, whatever becomes of its new record.

Whoever reads only the project that it was in must not keep it, and recording anew may take long:
it waits for a place among the fits, and for the fit's files.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import transaction
from backend.jobs.registry import WorkerContext
from backend.tables import Fit, Project
from backend.tracking.calls import open_connection
from backend.tracking.withdrawal import withdraw_fit

_log = logging.getLogger(__name__)
WITHDRAWN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class _Moved:
    slug: str
    moves: int


def recording_lock(fit_id: int) -> ColumnElement[bool]:
    """Released with the connection, however a worker ends; two workers never record at once."""
    return func.pg_try_advisory_xact_lock(func.hashtextextended(f"record fit {fit_id}", 0))


async def list_moved(session: AsyncSession) -> list[int]:
    """The oldest fits of which something may stand in a project that they left."""
    # Without a repository: what is in the trash has to go, too.
    moved = select(Fit.id).where(Fit.moves != Fit.withdrawn_moves)
    return list((await session.execute(moved.order_by(Fit.id).limit(WITHDRAWN_AT_ONCE))).scalars())


async def withdraw(context: WorkerContext, fit_id: int) -> None:
    """Delete a fit's runs in all projects but its own; repeated, it comes to the same."""
    is_recorded_now = await _is_recorded_now(context, fit_id)
    async with transaction(context.sessions) as session:
        # Held to the end: who is late must not delete what a later move made right.
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"withdraw fit {fit_id}", 0))
        if not (await session.execute(select(lock))).scalar_one():
            return
        moved = await _find_moved(session, fit_id)
        if moved is None:
            return
        with open_connection(context.settings) as connection:
            runs = await asyncio.to_thread(withdraw_fit, connection, fit_id, experiment=moved.slug)
        if not is_recorded_now:
            await session.execute(
                update(Fit).where(Fit.id == fit_id).values(withdrawn_moves=moved.moves)
            )
    if runs:
        _log.info("moved fit withdrawn", extra={"fit_id": fit_id, "runs": runs})


async def _is_recorded_now(context: WorkerContext, fit_id: int) -> bool:
    """Whether a worker may be writing a run at this moment, of which a search tells nothing yet."""
    async with transaction(context.sessions) as session:
        return not (await session.execute(select(recording_lock(fit_id)))).scalar_one()


async def _find_moved(session: AsyncSession, fit_id: int) -> _Moved | None:
    statement = (
        select(Project.slug, Fit.moves)
        .join(Project, Project.id == Fit.project_id)
        .where(Fit.id == fit_id, Fit.moves != Fit.withdrawn_moves)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _Moved(row.slug, row.moves)
