"""One attempt at a fit: its files, its process, and its end."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import transaction
from backend.fits import attempts
from backend.fits.attempts import Failure
from backend.fits.claiming import Claim
from backend.fits.diary import ClaimLost, Diary
from backend.fits.files import fetch_request, store_artifacts
from backend.fits.limits import LARGEST_FILE_BYTES
from backend.jobs.children import (
    ChildDied,
    ChildFailed,
    ChildOutOfMemory,
    ChildRefused,
    ChildTookTooLong,
    Work,
)
from backend.jobs.folders import work_folder
from backend.jobs.registry import WorkerContext
from backend.jobs.sandbox import Bounds, is_want_of_memory
from backend.science.refusal import in_short
from backend.storage.blobs import BlobMissing

_log = logging.getLogger(__name__)
FIT_PROGRAM: Final = "backend.science.run:run_request"
STDERR: Final = "stderr.txt"
LAST_WORDS_BYTES: Final = 4_000
# While the database is away a result is kept; longer than a restart takes, shorter than patience.
KEEP_SECONDS: Final = 60
AGAIN_SECONDS: Final = 0.5
PERMANENT: Final = (DataError, IntegrityError, ProgrammingError)


async def run_attempt(context: WorkerContext, held: Claim) -> None:
    """Compute outside any transaction, and finish."""
    told = {"fit_id": held.fit_id, "attempt": held.attempt}
    _log.info("fit started", extra=told)
    diary = Diary(context.sessions, held)
    try:
        await _run(context, held, diary)
    except ClaimLost:
        _log.info("fit no longer ours", extra=told)
    except ChildDied as death:
        await _lose(context, held, diary, _reason_of(death, held), str(death))
    except OSError as error:
        reason = f"Files could not be read or written: {error.strerror}."
        await _lose(context, held, diary, Failure("files", reason), repr(error))
    except _Ended as end:
        _log.log(end.level, "fit failed", extra={**told, "reason": str(end), **end.extra})
        await _end(context, held, diary, end.failure)


class _Ended(Exception):
    """The attempt ended the fit without results."""

    def __init__(self, failure: Failure, *, level: int = logging.INFO, **extra: Any) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.level = level
        self.extra = extra


async def _run(context: WorkerContext, held: Claim, diary: Diary) -> None:
    with work_folder("fit") as folder:
        try:
            request = await asyncio.to_thread(fetch_request, context.blobs, held, folder)
        except BlobMissing as missing:
            reason = "The dataset's file is missing or damaged. Upload it again."
            raise _Ended(
                Failure("files", reason), level=logging.ERROR, blob=str(missing)
            ) from missing
        outcome = await _compute(context, held, diary, request, folder)
        artifacts = await asyncio.to_thread(store_artifacts, context.blobs, folder)
    events = diary.take()

    async def finish(session: AsyncSession) -> bool:
        return await attempts.succeed(
            session,
            held,
            outcome,
            artifacts,
            told=events,
            peak_memory_bytes=diary.peak_memory_bytes,
        )

    await _persist(context, finish)
    _log.info("fit succeeded", extra={"fit_id": held.fit_id, "attempt": held.attempt})


async def _compute(
    context: WorkerContext, held: Claim, diary: Diary, request: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """The child's answer, or why there is none."""
    terms = held.terms
    words = folder / STDERR
    bounds = Bounds(terms.memory_bytes, terms.seconds, str(words), LARGEST_FILE_BYTES)
    work = Work(FIT_PROGRAM, request, bounds=bounds, sealed=True)
    try:
        return await context.children.run_watched(
            work, diary.on_progress, diary.keep_writing, on_event=diary.on_event
        )
    except ChildTookTooLong:
        raise _Ended(Failure("time_limit", terms.time_reason)) from None
    except ChildOutOfMemory as want:
        raise _Ended(Failure("memory_limit", terms.memory_reason), want=str(want)) from None
    except ChildRefused as refusal:
        raise _Ended(Failure("data", str(refusal), refusal.column)) from None
    except ChildFailed as failure:
        reason = f"The estimator stopped with {in_short(failure.kind, failure.message)}"
        raise _Ended(
            Failure("estimator", reason), level=logging.ERROR, trace=failure.trace
        ) from None
    except ChildDied as death:
        if death.exit_code == -signal.SIGXCPU:
            raise _Ended(Failure("time_limit", terms.time_reason)) from None
        if is_want_of_memory(await asyncio.to_thread(_last_words, words)):
            raise _Ended(Failure("memory_limit", terms.memory_reason)) from None
        raise


def _last_words(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - LAST_WORDS_BYTES, 0))
        return file.read().decode(errors="replace")


def _reason_of(death: ChildDied, held: Claim) -> Failure:
    """What is said when the last attempt died as well."""
    code, lost = death.exit_code, held.lost_attempts + 1
    times = "once" if lost == 1 else f"{lost} times"
    if code == -signal.SIGKILL:
        text = f"The fit's process was killed {times}. The machine most likely ran out of memory."
    elif code is not None and code < 0:
        text = f"The fit's process ended with {signal.Signals(-code).name}, {times}."
    else:
        text = f"The fit's process ended without an answer, {times}."
    return Failure("process_died", text)


async def _lose(
    context: WorkerContext, held: Claim, diary: Diary, failure: Failure, reason: str
) -> None:
    """Try again later, or end with what is known about the reason."""
    told = {"fit_id": held.fit_id, "attempt": held.attempt, "reason": reason}
    _log.warning("attempt lost", extra=told)
    events = diary.take()
    most = context.settings.fits.max_attempts

    async def lose(session: AsyncSession) -> bool:
        await attempts.report(session, held, 0.0, "Lost", events)
        return await attempts.lose(session, held, failure, max_attempts=most)

    await _persist_or_leave(context, held, lose)


async def _end(context: WorkerContext, held: Claim, diary: Diary, failure: Failure) -> None:
    events = diary.take()

    async def end(session: AsyncSession) -> bool:
        return await attempts.fail(
            session, held, failure, told=events, peak_memory_bytes=diary.peak_memory_bytes
        )

    await _persist_or_leave(context, held, end)


async def _persist_or_leave(
    context: WorkerContext, held: Claim, write: Callable[[AsyncSession], Awaitable[bool]]
) -> None:
    try:
        await _persist(context, write)
    except ClaimLost:
        told = {"fit_id": held.fit_id, "attempt": held.attempt}
        _log.info("fit no longer ours", extra=told)


async def _persist(
    context: WorkerContext, write: Callable[[AsyncSession], Awaitable[bool]]
) -> None:
    """Write an end down, again while the database is away; the fence says if it was written.

    Raises
    ------
    ClaimLost
        The attempt is not the newest any more, or a commit that broke off had succeeded.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + KEEP_SECONDS
    while True:
        try:
            async with transaction(context.sessions) as session:
                kept = await write(session)
        except (SQLAlchemyError, OSError, asyncpg.PostgresError) as error:
            if isinstance(error, PERMANENT) or loop.time() > end:
                raise
            _log.warning("end not written yet", extra={"error": repr(error)})
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if not kept:
            raise ClaimLost
        return
