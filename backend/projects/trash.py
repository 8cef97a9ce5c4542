"""A project goes to the trash with everything in it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.audit import Action, about, record
from backend.core.db import database_time
from backend.jobs import queue
from backend.projects.repository import ProjectRepository
from backend.tables import Fit, Model, Project, Retraining

UNFINISHED: Final = ("queued", "running")
REASON: Final = "The project was moved to the trash"


async def trash_project(session: AsyncSession, viewer: Viewer, project: Project) -> None:
    """Out of everybody's sight, here and in MLflow; what runs in it is cancelled."""
    project = await ProjectRepository(session, viewer).get(project.id, for_update=True)
    project.trashed_at = await database_time(session)
    # MLflow's permissions and its registry follow: projects/tasks.py, registry/tasks.py.
    project.revision += 1
    record(session, viewer, Action.PROJECT_TRASHED, about(project))
    await session.flush()
    await _end_retrainings(session, Model.project_id == project.id)
    await session.execute(
        update(Model).where(Model.project_id == project.id).values(revision=Model.revision + 1)
    )
    await _cancel_fits(session, Fit.project_id == project.id)


async def _end_retrainings(session: AsyncSession, where: ColumnElement[bool]) -> None:
    """Before their models and fits: everybody locks them in this order."""
    unfinished = (
        select(Retraining.id)
        .join(Model, Model.id == Retraining.model_id)
        .where(where, Retraining.state.in_(UNFINISHED))
        .order_by(Retraining.id)
        .with_for_update(of=Retraining)
    )
    await session.execute(
        update(Retraining)
        .where(Retraining.id.in_((await session.execute(unfinished)).scalars().all()))
        .values(state="cancelled", progress_message=REASON, finished_at=func.now())
    )


async def _cancel_fits(session: AsyncSession, where: ColumnElement[bool]) -> None:
    """Final with this transaction; its commit notifies the workers, which kill the processes."""
    unfinished = (
        select(Fit.id, Fit.job_id)
        .where(where, Fit.state.in_(UNFINISHED))
        .order_by(Fit.id)
        .with_for_update()
    )
    rows: Sequence[tuple[int, int | None]] = [
        (row.id, row.job_id) for row in await session.execute(unfinished)
    ]
    await session.execute(
        update(Fit)
        .where(Fit.id.in_([fit_id for fit_id, _ in rows]))
        .values(state="cancelled", progress_message=REASON, finished_at=func.now())
    )
    for _, job_id in rows:
        if job_id is not None:
            await queue.cancel(session, job_id)


async def cancel_left_behind(session: AsyncSession) -> None:
    """End what was started in the moment in which its project went to the trash."""
    trashed = select(Project.id).where(Project.trashed_at.is_not(None))
    await _end_retrainings(session, Model.project_id.in_(trashed))
    await _cancel_fits(session, Fit.project_id.in_(trashed))
