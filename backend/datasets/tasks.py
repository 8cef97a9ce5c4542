"""What the worker does for datasets: compute the profile of a version in a child process."""

import asyncio
import logging
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from backend.core.db import transaction
from backend.datasets import profile_attempts as attempts
from backend.datasets.files import hold_files
from backend.datasets.profile_attempts import ProfileClaim
from backend.datasets.profile_queue import PROFILE_VERSION, ProfilePayload
from backend.jobs.children import ChildDied, ChildFailed, ChildTookTooLong, Work
from backend.jobs.registry import WorkerContext, periodic, task
from backend.jobs.retry import try_again, wait_before
from backend.storage.blobs import BlobMissing

_log = logging.getLogger(__name__)
PROFILE_PROGRAM: Final = "backend.datasets.profiling:run_profile"
# Fits come first.
NICENESS: Final = 10
REPORT_SECONDS: Final = 0.5
WATCH_SECONDS: Final = 2.0
NO_MEMORY: Final = "The profile's process was killed. It likely ran out of memory."
NO_TIME: Final = "The profile took longer than {:,} seconds."
NO_FILE: Final = "The dataset's file is missing or damaged. Upload it again."


class ClaimLost(Exception):
    """Another attempt took over."""


class NotWanted(Exception):
    """The dataset went to the trash meanwhile."""


# One at a time over all workers: fits must not wait for profiles.
@task(PROFILE_VERSION, at_once=1)
async def profile_version(context: WorkerContext, body: bytes) -> None:
    """Claim, compute outside any transaction, finish."""
    payload = ProfilePayload.model_validate_json(body)
    async with transaction(context.sessions) as session:
        held = await attempts.claim(session, payload.dataset_version_id)
    if held is None:
        return
    told = {"dataset_version_id": held.dataset_version_id, "attempt": held.attempt}
    try:
        await _run(context, held)
        _log.info("profile computed", extra=told)
    except ClaimLost:
        _log.info("profile no longer ours", extra=told)
    except NotWanted:
        await _give_back(context, held)
    except asyncio.CancelledError:
        await asyncio.shield(_give_back(context, held))
        raise
    except ChildFailed as failure:
        _log.error("profile failed", extra={**told, "trace": failure.trace})
        await _fail(context, held, f"The profile could not be computed: {failure.kind}.")
    except ChildTookTooLong:
        await _fail(context, held, NO_TIME.format(context.settings.uploads.max_seconds))
    except BlobMissing as missing:
        _log.error("file missing", extra={**told, "blob": str(missing)})
        await _fail(context, held, NO_FILE)
    except (ChildDied, OSError) as loss:
        await _lose(context, held, loss)


async def _lose(context: WorkerContext, held: ProfileClaim, loss: ChildDied | OSError) -> None:
    """Try again, or end with what is known about the reason."""
    _log.warning("profile lost", extra={"attempt": held.attempt, "reason": repr(loss)})
    if held.may_be_lost:
        raise try_again(wait_before(held.attempt), repr(loss)) from loss
    if isinstance(loss, ChildDied):
        await _fail(context, held, NO_MEMORY)
    else:
        await _fail(context, held, f"Files could not be read or written: {loss.strerror}.")


async def _give_back(context: WorkerContext, held: ProfileClaim) -> None:
    async with transaction(context.sessions) as session:
        await attempts.give_back(session, held)


async def _fail(context: WorkerContext, held: ProfileClaim, message: str) -> None:
    async with transaction(context.sessions) as session:
        await attempts.fail(session, held, message)


async def _run(context: WorkerContext, held: ProfileClaim) -> None:
    with tempfile.TemporaryDirectory(prefix="goodfit-profile-") as name, ExitStack() as stack:
        folder = Path(name)
        profile = folder / "profile.json"
        stored = context.blobs.local(held.parquet_sha256, folder)
        table = await asyncio.to_thread(stack.enter_context, stored)
        digest = await _compute(context, held, table, profile)
        async with transaction(context.sessions) as session:
            await hold_files(session)
            sha256 = await asyncio.to_thread(context.blobs.put_file, profile)
            if not await attempts.succeed(session, held, sha256, digest):
                raise ClaimLost


async def _compute(
    context: WorkerContext, held: ProfileClaim, table: Path, profile: Path
) -> str | None:
    """Leave the profile in its file; answers the content digest where the claim asks for it.

    The watch ends the child when nobody wants the profile any more.
    """
    request: dict[str, Any] = {
        "table": str(table),
        "profile": str(profile),
        "columns": held.columns,
        "digest": held.wants_digest,
    }
    progress = _Progress(context, held)
    work = Work(PROFILE_PROGRAM, request, niceness=NICENESS)
    # One table must not keep all others waiting.
    limit = context.settings.uploads.max_seconds
    answer = await context.children.run_watched(
        work, progress.report, progress.watch, limit_seconds=limit
    )
    digest: str | None = answer.get("content_digest")
    return digest


class _Progress:
    """Writes progress at most twice a second, and looks now and then whether it is wanted."""

    def __init__(self, context: WorkerContext, held: ProfileClaim) -> None:
        self._context = context
        self._held = held
        self._written_at = 0.0

    async def report(self, fraction: float, message: str) -> None:
        if time.monotonic() - self._written_at < REPORT_SECONDS:
            return
        self._written_at = time.monotonic()
        try:
            async with transaction(self._context.sessions) as session:
                holds = await attempts.report(session, self._held, fraction, message)
        except (SQLAlchemyError, OSError) as error:
            # The work goes on without the database; the last write finds out what holds.
            _log.warning("progress not written", extra={"error": repr(error)})
            return
        if not holds:
            raise ClaimLost

    async def watch(self) -> None:
        """Raise NotWanted soon after the dataset went to the trash."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                async with transaction(self._context.sessions) as session:
                    wanted = await attempts.is_wanted(session, self._held)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("database not asked", extra={"error": repr(error)})
                continue
            if not wanted:
                raise NotWanted


@periodic(every=timedelta(seconds=15))
async def queue_profiles(context: WorkerContext) -> None:
    """Queue again what waits, whatever became of its job."""
    async with transaction(context.sessions) as session:
        await attempts.queue_waiting(session)
