"""Whether the process lives and whether it can do its work; no sign-in needed."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from backend.core.db import transaction
from backend.core.deps import SettingsDep
from backend.core.errors import Unavailable
from backend.core.schema_check import current_revision, head_revision
from backend.core.schemas import Schema
from backend.jobs import queue

router = APIRouter(tags=["health"])


class Health(Schema):
    """The process answers."""

    status: Literal["ok"] = "ok"


@router.get("/", include_in_schema=False)
async def to_docs(settings: SettingsDep) -> RedirectResponse:
    """People land on the description of the API; where that is closed, on the dashboard."""
    return RedirectResponse("/docs" if settings.docs else settings.urls.dashboard)


@router.get("/healthz")
async def check_process() -> Health:
    """The process is up."""
    return Health()


@router.get("/readyz")
async def check_readiness(request: Request) -> Health:
    """Database at the expected schema, queue readable, files writable."""
    async with request.app.state.engine.connect() as connection:
        current = await current_revision(connection)
    if current != head_revision():
        raise Unavailable("The database schema is not at the expected revision. Run the migration.")
    async with transaction(request.app.state.sessions) as session:
        await queue.depth(session)
    await run_in_threadpool(request.app.state.blobs.check)
    return Health()
