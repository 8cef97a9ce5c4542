"""What administrators do about jobs, and how the parts of the product are."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import asyncpg
import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, Subject
from backend.core.db import SessionFactory, database_time, transaction
from backend.core.errors import AppError, Conflict
from backend.core.schema_check import current_revision, head_revision
from backend.fits.service import RUN_FIT, cancel_fit
from backend.jobs import queue
from backend.jobs.table import QueuedJob
from backend.operations.facts import Facts, look
from backend.operations.repository import JobRepository, count_rows, database_bytes
from backend.operations.schemas import (
    Component,
    HealthOut,
    JobOut,
    JobState,
    StorageArea,
    StorageOut,
)
from backend.settings import Settings
from backend.storage.blobs import BlobStore
from backend.storage.folders import FileFolder

_log = logging.getLogger(__name__)

MLFLOW_SECONDS: Final = 3.0


def _state(job: QueuedJob, now: datetime) -> JobState:
    if job.status == "picked":
        return "running"
    if job.status == "failed":
        return "failed"
    return "delayed" if job.execute_after > now else "waiting"


def _about(job: QueuedJob) -> dict[str, int | str]:
    """The ids that the job was given; nothing else of its payload is for showing."""
    try:
        content = json.loads(job.payload or b"{}")
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: value
        for name, value in content.items()
        if name.endswith("_id") and isinstance(value, int | str)
    }


def describe_job(job: QueuedJob, now: datetime) -> JobOut:
    """A job as administrators see it."""
    state = _state(job, now)
    until = {"waiting": now, "delayed": now, "running": job.updated}.get(state)
    return JobOut(
        id=job.id,
        entrypoint=job.entrypoint,
        state=state,
        priority=job.priority,
        tries=job.attempts + (state in ("running", "failed")),
        about=_about(job),
        request_id=(job.headers or {}).get(queue.REQUEST_HEADER),
        created_at=job.created,
        due_at=job.execute_after,
        waited_seconds=None if until is None else (until - job.created).total_seconds(),
    )


async def retry_job(session: AsyncSession, viewer: Viewer, job_id: int) -> JobOut:
    """Let a failed job be tried again, or a job that was put off be taken now."""
    jobs = JobRepository(session, viewer)
    job = await jobs.get(job_id)
    state = _state(job, await database_time(session))
    if state == "running":
        raise Conflict("This job runs. Cancel it first, or wait for its end.")
    if state == "failed":
        try:
            await queue.requeue(session, job_id)
        except asyncpg.UniqueViolationError:
            message = "A newer job for the same thing waits or runs already."
            raise Conflict(message) from None
    elif state == "delayed":
        await jobs.make_due(job_id)
    if state in ("failed", "delayed"):
        _record(session, viewer, Action.JOB_RETRIED, job)
    return describe_job(await jobs.get(job_id), await database_time(session))


async def cancel_job(session: AsyncSession, viewer: Viewer, job_id: int) -> None:
    """End a job. A fit's own job takes the fit with it, or the platform would queue it again."""
    job = await JobRepository(session, viewer).get(job_id)
    fit_id = _about(job).get("fit_id")
    if job.entrypoint == RUN_FIT and isinstance(fit_id, int):
        # Where the fit is finished or gone, nobody queues it again.
        with contextlib.suppress(AppError):
            await cancel_fit(session, viewer, fit_id)
    await queue.cancel(session, job_id)
    _record(session, viewer, Action.JOB_CANCELLED, job)


def _record(session: AsyncSession, viewer: Viewer, action: Action, job: QueuedJob) -> None:
    subject = Subject("job", job.id, job.entrypoint)
    audit.record(session, viewer, action, subject, details=_about(job))


async def _checked(name: str, check: Callable[[], Awaitable[str]]) -> Component:
    """Whatever goes wrong in a check is what the check found out."""
    began = time.perf_counter()
    try:
        detail = await check()
    except Exception as error:  # a check may fail in any way; the answer is which part
        _log.warning("check failed", extra={"part": name}, exc_info=error)
        return Component(name=name, state="failed", detail=f"{type(error).__name__}: no answer")
    took = round((time.perf_counter() - began) * 1000, 1)
    return Component(name=name, state="ok", detail=detail, milliseconds=took)


async def check_health(
    sessions: SessionFactory, settings: Settings, blobs: BlobStore, heartbeat_age: float | None
) -> HealthOut:
    """Ask every part how it is."""
    facts: list[Facts] = []

    async def database() -> str:
        async with transaction(sessions) as session:
            facts.append(await look(session))
            revision = await current_revision(await session.connection())
        if revision != head_revision():
            raise RuntimeError("the schema is not at the expected revision")
        return f"schema {revision}"

    async def files() -> str:
        await asyncio.to_thread(blobs.check)
        return "writable"

    async def mlflow() -> str:
        async with httpx.AsyncClient(timeout=MLFLOW_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{settings.urls.mlflow_for_processes}/health")
        answer.raise_for_status()
        return "answers"

    parts = await asyncio.gather(
        _checked("database", database), _checked("files", files), _checked("mlflow", mlflow)
    )
    known = facts[0] if facts else None
    components = [*parts, _workers(known, heartbeat_age)]
    failed = any(part.state == "failed" for part in components)
    return HealthOut(
        state="failed" if failed else "ok",
        components=components,
        jobs=known.jobs if known else {},
        oldest_waiting_seconds=known.oldest_waiting_seconds if known else 0.0,
        unrecorded_fits=known.unrecorded_fits if known else 0,
        workers=known.workers if known else 0,
    )


def _workers(facts: Facts | None, heartbeat_age: float | None) -> Component:
    seen = (
        "" if heartbeat_age is None else f"; the last sign of life here {heartbeat_age:.0f} s ago"
    )
    if facts is None:
        return Component(name="workers", state="unknown", detail=f"the database is away{seen}")
    state: Any = "ok" if facts.workers else "failed"
    return Component(name="workers", state=state, detail=f"{facts.workers} connected{seen}")


async def measure_storage(
    session: AsyncSession, settings: Settings, blobs: BlobStore
) -> StorageOut:
    """Bytes and counts of what is kept."""
    sizes = await asyncio.to_thread(lambda: [size for _, size in blobs.sizes()])
    folder = FileFolder(settings.artifacts_url)
    artifacts = await asyncio.to_thread(lambda: [size for _, size in folder.sizes()])
    return StorageOut(
        areas=[
            StorageArea(name="files", bytes=sum(sizes), count=len(sizes)),
            StorageArea(name="mlflow_artifacts", bytes=sum(artifacts), count=len(artifacts)),
            StorageArea(name="database", bytes=await database_bytes(session), count=None),
        ],
        free_bytes=blobs.free_bytes(),
        rows=await count_rows(session),
    )
