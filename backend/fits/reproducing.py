"""What the worker does to reproduce a fit: run it again in a child process, and compare."""

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from backend.core.db import transaction
from backend.fits import reproductions
from backend.fits.files import ARTIFACTS, fetch_request
from backend.fits.limits import LARGEST_FILE_BYTES
from backend.fits.reproductions import REPRODUCE_FIT, Repeat, ReproductionPayload
from backend.jobs.children import (
    ChildDied,
    ChildFailed,
    ChildOutOfMemory,
    ChildRefused,
    ChildTookTooLong,
    Work,
)
from backend.jobs.folders import work_folder
from backend.jobs.registry import WorkerContext, periodic, task
from backend.jobs.retry import try_again, wait_before
from backend.jobs.sandbox import Bounds
from backend.science.refusal import in_short
from backend.storage.blobs import BlobMissing, BlobStore

_log = logging.getLogger(__name__)
REPEAT_PROGRAM: Final = "backend.science.reproduction.repeat:repeat_request"
# Fits come first.
NICENESS: Final = 10
REPORT_SECONDS: Final = 0.25
WATCH_SECONDS: Final = 1.0
COMPARED_FILES: Final = ("holdout", "coefficients")


class ClaimLost(Exception):
    """It was cancelled, or another attempt took over."""


# One at a time over all workers: fits must not wait for second runs of others.
@task(REPRODUCE_FIT, at_once=1)
async def reproduce_fit(context: WorkerContext, body: bytes) -> None:
    """Claim, compute outside any transaction, finish."""
    payload = ReproductionPayload.model_validate_json(body)
    async with transaction(context.sessions) as session:
        held = await reproductions.claim(session, payload.reproduction_id, context.settings.fits)
    if held is None:
        return
    told = {"fit_id": held.fit.fit_id, "reproduction_id": held.reproduction_id}
    try:
        await _run(context, held)
        _log.info("fit reproduced", extra=told)
    except ClaimLost:
        _log.info("reproduction no longer ours", extra=told)
    except asyncio.CancelledError:
        await asyncio.shield(_give_back(context, held))
        raise
    except (ChildTookTooLong, ChildOutOfMemory, ChildRefused, ChildFailed, BlobMissing) as error:
        _log.warning("reproduction failed", extra={**told, "reason": repr(error)})
        await _fail(context, held, _reason(error, held))
    except (ChildDied, OSError) as loss:
        _log.warning("reproduction lost", extra={**told, "reason": repr(loss)})
        if held.may_be_lost:
            raise try_again(wait_before(held.attempt), repr(loss)) from loss
        await _fail(context, held, f"The second run was lost {held.attempt} times: {loss}.")


_Failure = ChildTookTooLong | ChildOutOfMemory | ChildRefused | ChildFailed | BlobMissing


def _reason(error: _Failure, held: Repeat) -> str:
    match error:
        case ChildTookTooLong():
            return held.fit.terms.time_reason
        case ChildOutOfMemory():
            return held.fit.terms.memory_reason
        case BlobMissing():
            return "A file of the dataset or of the fit is missing or damaged."
        case ChildRefused():
            return str(error)
        case ChildFailed():
            return f"The estimator stopped with {in_short(error.kind, error.message)}"


async def _give_back(context: WorkerContext, held: Repeat) -> None:
    async with transaction(context.sessions) as session:
        await reproductions.write(session, held, state="queued", attempt=held.attempt - 1)


async def _fail(context: WorkerContext, held: Repeat, message: str) -> None:
    async with transaction(context.sessions) as session:
        await reproductions.finish(session, held, "failed", error=message[:2_000])


async def _run(context: WorkerContext, held: Repeat) -> None:
    with work_folder("reproduce") as folder:
        request = await asyncio.to_thread(fetch_repeat, context.blobs, held, folder)
        progress = _Progress(context, held)
        terms = held.fit.terms
        bounds = Bounds(terms.memory_bytes, terms.seconds, file_bytes=LARGEST_FILE_BYTES)
        work = Work(REPEAT_PROGRAM, request, niceness=NICENESS, bounds=bounds, sealed=True)
        answer = await context.children.run_watched(work, progress.report, progress.watch)
    differences = answer["differences"]
    async with transaction(context.sessions) as session:
        held_on = await reproductions.finish(
            session,
            held,
            "different" if differences else "identical",
            differences=differences,
            environment=answer["environment"],
            progress=1.0,
            progress_message="Done",
        )
    if not held_on:
        raise ClaimLost


def fetch_repeat(blobs: BlobStore, held: Repeat, folder: Path) -> dict[str, Any]:
    """The fit's own request, and what it left the first time."""
    again, then = folder / "again", folder / "then"
    for made in (again, then):
        made.mkdir()
    paths = {name: then / ARTIFACTS[name] for name in COMPARED_FILES}
    for name, path in paths.items():
        if name in held.artifacts:
            blobs.fetch(held.artifacts[name], path)
    return {
        "fit": fetch_request(blobs, held.fit, again),
        "outcome": held.outcome,
        "environment": held.environment,
        **{name: str(path) for name, path in paths.items()},
    }


class _Progress:
    """Writes progress at most four times a second, and asks once a second if it is wanted."""

    def __init__(self, context: WorkerContext, held: Repeat) -> None:
        self._context = context
        self._held = held
        self._latest = (0.0, "Starting")
        self._written_at = 0.0

    async def report(self, fraction: float, message: str) -> None:
        self._latest = (fraction, message)
        if time.monotonic() - self._written_at >= REPORT_SECONDS:
            await self._write()

    async def watch(self) -> None:
        """Raise ClaimLost soon after a cancel."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self._write()

    async def _write(self) -> None:
        self._written_at = time.monotonic()
        share, message = self._latest
        try:
            async with transaction(self._context.sessions) as session:
                holds = await reproductions.write(
                    session, self._held, progress=share, progress_message=message[:200]
                )
        except (SQLAlchemyError, OSError) as error:
            # The work goes on without the database; the last write finds out what holds.
            _log.warning("progress not written", extra={"error": repr(error)})
            return
        if not holds:
            raise ClaimLost


@periodic(every=timedelta(seconds=15))
async def queue_reproductions(context: WorkerContext) -> None:
    """Queue again what waits, whatever became of its job."""
    async with transaction(context.sessions) as session:
        for reproduction_id, before in await reproductions.list_open(session):
            await reproductions.enqueue(session, reproduction_id, before)
