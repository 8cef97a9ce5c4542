"""What the worker does for retrainings: compare, restore, and start what is due."""

import asyncio
import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from backend.core.db import transaction
from backend.core.errors import AppError
from backend.fits.schemas import FitPayload
from backend.jobs.children import ChildDied, ChildFailed, ChildRefused, Work
from backend.jobs.registry import WorkerContext, periodic, scheduled, task
from backend.jobs.retry import try_again, wait_before
from backend.retraining import attempts, schedules
from backend.retraining.attempts import Claim
from backend.retraining.service import EVALUATE
from backend.storage.blobs import BlobMissing

_log = logging.getLogger(__name__)
COMPARE_PROGRAM: Final = "backend.science.comparison:compare_request"
REPORT_SECONDS: Final = 0.25


class ClaimLost(Exception):
    """The retraining was cancelled or another worker took it over."""


@task(EVALUATE)
async def evaluate(context: WorkerContext, body: bytes) -> None:
    """Compare the challenger with the champion once its fit has ended."""
    payload = FitPayload.model_validate_json(body)
    async with transaction(context.sessions) as session:
        limit = context.settings.fits.max_attempts
        held = await attempts.claim(session, payload.fit_id, max_attempts=limit)
    if held is None:
        return
    try:
        evidence = await _compare(context, held)
        async with transaction(context.sessions) as session:
            state = await attempts.finish(session, held, evidence)
    except ClaimLost:
        return
    except ChildRefused as refusal:
        await _fail(context, held, str(refusal))
    except ChildFailed as failure:
        _log.error("comparison failed", extra=_about(held) | {"trace": failure.trace})
        await _fail(context, held, f"The comparison stopped with {failure}")
    except BlobMissing as missing:
        _log.error("file missing", extra=_about(held) | {"blob": str(missing)})
        await _fail(context, held, "A file of champion, challenger or data is missing or damaged.")
    except AppError as error:
        await _fail(context, held, f"The challenger could not be registered. {error.detail}")
    except (ChildDied, OSError) as loss:
        if held.attempt >= context.settings.fits.max_attempts:
            await _fail(context, held, f"The comparison was lost {held.attempt} times: {loss!r}")
            return
        raise try_again(wait_before(held.attempt), repr(loss)) from loss
    else:
        _log.info("retraining ended", extra=_about(held) | {"state": str(state)})


def _about(held: Claim) -> dict[str, Any]:
    return {"retraining_id": held.retraining_id, "attempt": held.attempt}


async def _fail(context: WorkerContext, held: Claim, message: str) -> None:
    async with transaction(context.sessions) as session:
        await attempts.fail(session, held, message)


async def _compare(context: WorkerContext, held: Claim) -> dict[str, Any]:
    written_at = 0.0

    async def report(fraction: float, message: str) -> None:
        nonlocal written_at
        if time.monotonic() - written_at < REPORT_SECONDS:
            return
        written_at = time.monotonic()
        async with transaction(context.sessions) as session:
            if not await attempts.report(session, held, fraction, message):
                raise ClaimLost

    with tempfile.TemporaryDirectory(prefix="goodfit-compare-") as name:
        paths = {key: Path(name) / key for key in held.files}
        for key, digest in held.files.items():
            await asyncio.to_thread(context.blobs.fetch, digest, paths[key])
        files = {key: str(path) for key, path in paths.items()}
        return await context.children.run(Work(COMPARE_PROGRAM, held.request | files), report)


@periodic(every=timedelta(seconds=15))
async def restore_jobs(context: WorkerContext) -> None:
    """Queue again what lost its job."""
    async with transaction(context.sessions) as session:
        await attempts.restore_jobs(session)


@scheduled("retraining.due", cron="* * * * *")
async def start_due(context: WorkerContext) -> None:
    """Start what is due; each policy in its own transaction, which also moves its next time."""
    while True:
        async with transaction(context.sessions) as session:
            if not await schedules.start_next_due(session):
                return
