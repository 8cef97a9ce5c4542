"""What the worker does for projects: tell MLflow who may read them, end what was left in the trash.

Chores and no jobs: a fit may take all places of the queue, and who was put out of a project must
be out of it in MLflow within seconds.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from backend.core.db import transaction
from backend.jobs.registry import WorkerContext, periodic, scheduled
from backend.projects import mirroring, trash
from backend.tracking.calls import open_connection
from backend.tracking.port import TrackerError, TrackerUnavailable
from backend.tracking.sharing import list_out_of_step, share_project

_log = logging.getLogger(__name__)
# While MLflow is away or refuses; a chore that waits keeps nobody waiting.
REST_SECONDS: Final = 4.0


@periodic(every=timedelta(seconds=1))
async def share_behind(context: WorkerContext) -> None:
    """Bring MLflow to the present members of each project that it shows with earlier ones.

    While MLflow is away nothing is lost: the project stays behind, and the next round tries again.
    """
    async with transaction(context.sessions) as session:
        behind = await mirroring.list_behind(session)
    if [project_id for project_id in behind if not await _is_shared(context, project_id)]:
        await asyncio.sleep(REST_SECONDS)


async def _is_shared(context: WorkerContext, project_id: int) -> bool:
    """One that fails does not keep the others waiting."""
    try:
        await _share(context, project_id)
    except TrackerError as error:
        level = logging.INFO if isinstance(error, TrackerUnavailable) else logging.WARNING
        told = {"project_id": project_id, "reason": str(error)}
        _log.log(level, "members not told yet", extra=told)
        return False
    return True


async def _share(context: WorkerContext, project_id: int) -> None:
    """Repeated, or cut off at any point, it comes to the same."""
    async with transaction(context.sessions) as session:
        # Two workers at once could each undo what the other did.
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"share {project_id}", 0))
        if not (await session.execute(select(lock))).scalar_one():
            return
        readers = await mirroring.project_readers(session, project_id)
        models = await mirroring.model_names(session, project_id)
        with open_connection(context.settings) as connection:
            await asyncio.to_thread(share_project, connection, readers.slug, models, readers.names)
        await mirroring.store_shared(session, readers)
    _log.info("members told", extra={"project_id": project_id, "revision": readers.revision})


@scheduled("projects.reconcile", cron="23 * * * *")
async def reconcile(context: WorkerContext) -> None:
    """Find what MLflow shows to others than the members, whatever brought that about.

    The chore above brings it back.
    """
    async with transaction(context.sessions) as session:
        settled = await mirroring.list_settled(session)
    try:
        with open_connection(context.settings) as connection:
            found = await asyncio.to_thread(list_out_of_step, connection, settled)
    except TrackerError as error:
        _log.info("members not compared", extra={"reason": str(error)})
        return
    if found:
        _log.warning("members out of step in MLflow", extra={"projects": found})
        async with transaction(context.sessions) as session:
            await mirroring.share_slugs_again(session, found)


@periodic(every=timedelta(seconds=15))
async def cancel_left_behind(context: WorkerContext) -> None:
    """A fit may be started while its project goes to the trash."""
    async with transaction(context.sessions) as session:
        await trash.cancel_left_behind(session)
