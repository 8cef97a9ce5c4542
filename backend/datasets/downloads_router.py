"""Versions as files over HTTP: downloaded, and by a link that needs no sign-in."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from backend.accounts.dependencies import ClientDep, ReaderDep, ViewerDep
from backend.core import audit
from backend.core.audit import Action, about
from backend.core.deps import SessionDep, SettingsDep
from backend.core.schemas import Id, VersionNumber
from backend.datasets import service
from backend.datasets.downloads import open_download
from backend.datasets.links import LinkSigner, follow_link, make_link
from backend.datasets.schemas import DownloadFormat
from backend.datasets.usage_schemas import LinkCreate, LinkOut

router = APIRouter(tags=["datasets"])
VERSION = "/datasets/{dataset_id}/versions/{version}"
DOWNLOADS = "/api/v1/downloads"


@router.get(f"{VERSION}/download", response_class=StreamingResponse)
async def download_version(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    form: Annotated[DownloadFormat, Query(alias="format")] = "original",
) -> StreamingResponse:
    """The bytes as they were sent, or the typed table as CSV that is safe to open, or Parquet."""
    dataset, row = await service.fetch_version(session, viewer, dataset_id, version)
    await session.close()  # a slow file store must not hold a database connection
    answer: StreamingResponse = await run_in_threadpool(
        open_download, request.app.state.blobs, row, form
    )
    details = {"version": version, "format": form}
    audit.record(session, viewer, Action.DATASET_DOWNLOADED, about(dataset), details=details)
    return answer


@router.post(f"{VERSION}/link")
async def create_link(
    session: SessionDep,
    viewer: ReaderDep,
    settings: SettingsDep,
    dataset_id: Id,
    version: VersionNumber,
    data: LinkCreate,
) -> LinkOut:
    """An address of one file that needs no sign-in and works for a short time.

    It ends early when whoever made it may not read the dataset any more.
    """
    token, expires_at = await make_link(
        session,
        viewer,
        LinkSigner(settings.secrets.token_keys),
        dataset_id=dataset_id,
        version=version,
        form=data.format,
        lifetime=settings.uploads.link_lifetime,
    )
    base = settings.urls.api.rstrip("/")
    return LinkOut(url=f"{base}{DOWNLOADS}/{token}", expires_at=expires_at)


@router.get("/downloads/{token}", response_class=StreamingResponse)
async def download_by_link(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    token: Annotated[str, Path()],
) -> StreamingResponse:
    """The file that the link is about, in the name of who made it."""
    claims = LinkSigner(settings.secrets.token_keys).decode(token)
    viewer, dataset, row = await follow_link(session, claims, address=client.address)
    await session.close()
    answer: StreamingResponse = await run_in_threadpool(
        open_download, request.app.state.blobs, row, claims.format
    )
    details = {"version": row.version, "format": claims.format, "by_link": True}
    audit.record(session, viewer, Action.DATASET_DOWNLOADED, about(dataset), details=details)
    return answer
