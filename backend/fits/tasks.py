"""What the worker does for fits that ended: record them in MLflow, and withdraw records."""

import asyncio
import logging
import time
from datetime import timedelta
from typing import Final

from backend.core.db import transaction
from backend.fits import attempts, withdrawing
from backend.fits.recording import record
from backend.fits.schemas import TrackPayload
from backend.fits.service import TRACK_FIT
from backend.jobs.folders import sweep_folders
from backend.jobs.registry import WorkerContext, periodic, task
from backend.tracking.port import TrackerError, TrackerUnavailable

_log = logging.getLogger(__name__)
# While MLflow is away or refuses; a chore that waits keeps nobody waiting.
REST_SECONDS: Final = 4.0
# Recording takes as much of the processor as a small fit; somebody waits for the fit.
YIELD_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.5


@periodic(every=timedelta(seconds=15))
async def restore_jobs(context: WorkerContext) -> None:
    """Queue again the recordings that lost their job."""
    async with transaction(context.sessions) as session:
        await attempts.restore_jobs(session)


@periodic(every=timedelta(minutes=5))
async def sweep_work(_context: WorkerContext) -> None:
    """Remove the copies of data and models that killed workers left."""
    if swept := await asyncio.to_thread(sweep_folders):
        _log.info("what killed workers left is swept", extra={"folders": swept})


@task(TRACK_FIT, at_once=1)
async def track_fit(context: WorkerContext, body: bytes) -> None:
    """Record a finished fit in MLflow; while MLflow is away the job stays in the queue."""
    payload = TrackPayload.model_validate_json(body)
    await _let_fits_go_first(context)
    await record(context, payload.fit_id)


async def _let_fits_go_first(context: WorkerContext) -> None:
    """Wait while fits wait or run, but not for ever."""
    end = time.monotonic() + YIELD_SECONDS
    while time.monotonic() < end:
        async with transaction(context.sessions) as session:
            if not await attempts.are_waiting(session):
                return
        await asyncio.sleep(LOOK_SECONDS)


@periodic(every=timedelta(seconds=1))
async def withdraw_moved(context: WorkerContext) -> None:
    """Take runs out of projects that their fits left; no job, as fits may take all places."""
    async with transaction(context.sessions) as session:
        moved = await withdrawing.list_moved(session)
    if [fit_id for fit_id in moved if not await _is_withdrawn(context, fit_id)]:
        await asyncio.sleep(REST_SECONDS)


async def _is_withdrawn(context: WorkerContext, fit_id: int) -> bool:
    """One that fails does not keep the others waiting."""
    try:
        await withdrawing.withdraw(context, fit_id)
    except TrackerError as error:
        level = logging.INFO if isinstance(error, TrackerUnavailable) else logging.WARNING
        told = {"fit_id": fit_id, "reason": str(error)}
        _log.log(level, "moved fit not withdrawn yet", extra=told)
        return False
    return True
