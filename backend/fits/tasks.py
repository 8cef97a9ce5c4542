"""What the worker does for fits: run one in a child process, record one in MLflow."""

import asyncio
import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from backend.core.db import transaction
from backend.fits import attempts, withdrawing
from backend.fits.attempts import Claim
from backend.fits.files import fetch_request, store_artifacts
from backend.fits.recording import record
from backend.fits.schemas import FitPayload, TrackPayload
from backend.fits.service import RUN_FIT, TRACK_FIT
from backend.jobs.children import ChildDied, ChildFailed, ChildRefused, ChildTookTooLong, Work
from backend.jobs.registry import WorkerContext, periodic, task
from backend.jobs.retry import try_again, wait_before
from backend.storage.blobs import BlobMissing
from backend.tracking.port import TrackerError, TrackerUnavailable

_log = logging.getLogger(__name__)
FIT_PROGRAM: Final = "backend.science.run:run_request"
REPORT_SECONDS: Final = 0.25
WATCH_SECONDS: Final = 1.0
# While MLflow is away or refuses; a chore that waits keeps nobody waiting.
REST_SECONDS: Final = 4.0


class ClaimLost(Exception):
    """The fit was cancelled or another worker took it over."""


class FitTookTooLong(Exception):
    """The fit did not end within its time limit."""


@task(RUN_FIT)
async def run_fit(context: WorkerContext, body: bytes) -> None:
    """Claim, compute outside any transaction, finish."""
    payload = FitPayload.model_validate_json(body)
    async with transaction(context.sessions) as session:
        limit = context.settings.fits.max_attempts
        held = await attempts.claim(session, payload.fit_id, max_attempts=limit)
    if held is None:
        return
    _log.info("fit started", extra={"fit_id": held.fit_id, "attempt": held.attempt})
    try:
        await _run(context, held)
    except ClaimLost:
        _log.info("fit no longer ours", extra={"fit_id": held.fit_id, "attempt": held.attempt})
    except asyncio.CancelledError:
        # A cancelled fit is in its final state already; this is for a worker that stops.
        await asyncio.shield(_give_back(context, held))
        raise
    except ChildRefused as refusal:
        await _fail(context, held, str(refusal), refusal.column)
    except FitTookTooLong as late:
        await _fail(context, held, str(late))
    except ChildFailed as failure:
        _log.error("fit failed", extra={"fit_id": held.fit_id, "trace": failure.trace})
        await _fail(context, held, f"The estimator stopped with {failure}")
    except BlobMissing as missing:
        _log.error("file missing", extra={"fit_id": held.fit_id, "blob": str(missing)})
        await _fail(context, held, "The dataset's file is missing or damaged. Upload it again.")
    except (ChildDied, OSError) as loss:
        await _lose(context, held, loss)


async def _lose(context: WorkerContext, held: Claim, loss: ChildDied | OSError) -> None:
    """Try again, or end with what is known about the reason."""
    _log.warning("attempt lost", extra={"fit_id": held.fit_id, "reason": repr(loss)})
    if held.may_be_lost:
        raise try_again(wait_before(held.attempt), repr(loss)) from loss
    if isinstance(loss, ChildDied):
        await _fail(context, held, "The fit's process was killed. It likely ran out of memory.")
    else:
        await _fail(context, held, f"Files could not be read or written: {loss.strerror}.")


async def _give_back(context: WorkerContext, held: Claim) -> None:
    async with transaction(context.sessions) as session:
        await attempts.give_back(session, held)


async def _fail(
    context: WorkerContext, held: Claim, message: str, column: str | None = None
) -> None:
    async with transaction(context.sessions) as session:
        await attempts.fail(session, held, message, column)


async def _run(context: WorkerContext, held: Claim) -> None:
    with tempfile.TemporaryDirectory(prefix="goodfit-fit-") as name:
        folder = Path(name)
        request = await asyncio.to_thread(fetch_request, context.blobs, held, folder)
        outcome = await _compute(context, held, Work(FIT_PROGRAM, request))
        artifacts = await asyncio.to_thread(store_artifacts, context.blobs, folder)
    async with transaction(context.sessions) as session:
        if not await attempts.succeed(session, held, outcome, artifacts):
            raise ClaimLost
    _log.info("fit succeeded", extra={"fit_id": held.fit_id, "attempt": held.attempt})


async def _compute(context: WorkerContext, held: Claim, work: Work) -> dict[str, Any]:
    """The child's answer; the watch ends it when the claim is lost."""
    progress = _Progress(context, held)
    limit = context.settings.fits.time_limit.total_seconds()
    try:
        return await context.children.run_watched(
            work, progress.report, progress.watch, limit_seconds=limit
        )
    except ChildTookTooLong:
        raise FitTookTooLong(f"The fit took longer than {limit:,.0f} s.") from None


class _Progress:
    """Writes progress at most four times a second, and asks once a second if the claim holds."""

    def __init__(self, context: WorkerContext, held: Claim) -> None:
        self._context = context
        self._held = held
        self._latest = (0.0, "Starting")
        self._written_at = 0.0

    async def report(self, fraction: float, message: str) -> None:
        self._latest = (fraction, message)
        if time.monotonic() - self._written_at >= REPORT_SECONDS:
            await self._write()

    async def _write(self) -> None:
        self._written_at = time.monotonic()
        try:
            async with transaction(self._context.sessions) as session:
                holds = await attempts.report(session, self._held, *self._latest)
        except (SQLAlchemyError, OSError) as error:
            # The fit goes on without the database; the next report finds out what holds.
            _log.warning("progress not written", extra={"error": repr(error)})
            return
        if not holds:
            raise ClaimLost

    async def watch(self) -> None:
        """Raise ClaimLost within a second even when the notification of a cancel was lost."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self._write()


@periodic(every=timedelta(seconds=15))
async def restore_jobs(context: WorkerContext) -> None:
    """Queue again what lost its job."""
    async with transaction(context.sessions) as session:
        await attempts.restore_jobs(session)


@task(TRACK_FIT, at_once=1)
async def track_fit(context: WorkerContext, body: bytes) -> None:
    """Record a finished fit in MLflow; while MLflow is away the job stays in the queue."""
    payload = TrackPayload.model_validate_json(body)
    await record(context, payload.fit_id)


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
