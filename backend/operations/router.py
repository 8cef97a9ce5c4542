"""Operations over HTTP, for administrators: jobs, health, storage."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, status

from backend.accounts.dependencies import AdminDep
from backend.core.db import database_time
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.schemas import Id, Page, StorableText
from backend.operations import service
from backend.operations.facts import heartbeat_age
from backend.operations.repository import JobRepository
from backend.operations.schemas import HealthOut, JobOut, JobState, StorageOut

router = APIRouter(prefix="/operations", tags=["operations"])
JobId = Annotated[Id, Path()]


@router.get("/jobs")
async def list_jobs(
    session: SessionDep,
    viewer: AdminDep,
    page: PageDep,
    signer: SignerDep,
    state: Annotated[JobState | None, Query()] = None,
    entrypoint: Annotated[StorableText | None, Query(max_length=100)] = None,
) -> Page[JobOut]:
    """Jobs that wait, run, or are held after they failed."""
    rows, cursor = await JobRepository(session, viewer).page(
        page, signer, state=state, entrypoint=entrypoint
    )
    now = await database_time(session)
    return Page(items=[service.describe_job(row, now) for row in rows], next_cursor=cursor)


@router.post("/jobs/{job_id}/retry")
async def retry_job(session: SessionDep, viewer: AdminDep, job_id: JobId) -> JobOut:
    """Try a failed job again, or one that was put off at once."""
    return await service.retry_job(session, viewer, job_id)


@router.post("/jobs/{job_id}/cancel", status_code=status.HTTP_204_NO_CONTENT)
async def cancel_job(session: SessionDep, viewer: AdminDep, job_id: JobId) -> None:
    """End a job, waiting or running; a fit's own job ends the fit as cancelled."""
    await service.cancel_job(session, viewer, job_id)


@router.get("/health")
async def read_health(request: Request, _viewer: AdminDep, settings: SettingsDep) -> HealthOut:
    """How every part of the product is."""
    state = request.app.state
    age = heartbeat_age(settings)
    return await service.check_health(state.sessions, settings, state.blobs, age)


@router.get("/storage")
async def read_storage(
    request: Request, session: SessionDep, _viewer: AdminDep, settings: SettingsDep
) -> StorageOut:
    """What is kept, and how much room there is."""
    return await service.measure_storage(session, settings, request.app.state.blobs)
