"""Datasets over HTTP: upload, read, download."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core import audit
from backend.core.audit import Action, about
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page, StorableText, VersionNumber
from backend.datasets import service
from backend.datasets.bodies import UPLOAD_BODY, contents, received, version_out
from backend.datasets.downloads import open_download
from backend.datasets.profile_schemas import ColumnOut, ProfileOut, SuggestedTarget
from backend.datasets.repository import DatasetRepository, VersionRepository
from backend.datasets.schemas import (
    DatasetFilter,
    DatasetOut,
    DatasetUpdate,
    DownloadFormat,
    PreviewOut,
    VersionOut,
)
from backend.tables import Dataset

router = APIRouter(prefix="/datasets", tags=["datasets"])

PREVIEW_ROWS = 1_000


def _dataset_out(dataset: Dataset, fits: int = 0) -> DatasetOut:
    latest = dataset.latest
    return DatasetOut(
        id=dataset.id,
        name=dataset.name,
        description=dataset.description,
        project_id=dataset.project_id,
        kind=dataset.kind,
        latest_version=dataset.latest_version,
        rows=latest.rows,
        columns=latest.column_count,
        bytes=latest.bytes,
        content_digest=latest.content_digest,
        warnings=latest.warnings,
        fits=fits,
        profile_state=latest.profile.state,
        created_by=dataset.creator.username,
        created_at=dataset.created_at,
        updated_at=latest.created_at,
        trashed_at=dataset.trashed_at,
    )


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=UPLOAD_BODY)
async def create_dataset(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    response: Response,
) -> DatasetOut:
    """A CSV file, a zip of images with `labels.txt`, or a table as JSON, as a new dataset."""
    async with received(request, session, settings.uploads) as got:
        got.require_name()
        row = await service.create_dataset(
            session, viewer, got.data, got.typed, store=got.store, idempotency=idempotency
        )
    dataset = _dataset_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    send_etag(response, dataset)
    return dataset


@router.get("")
async def list_datasets(
    session: SessionDep,
    viewer: ViewerDep,
    page: PageDep,
    signer: SignerDep,
    project_id: Annotated[Id | None, Query()] = None,
    name_contains: Annotated[StorableText | None, Query(max_length=200)] = None,
    mine: bool = False,
) -> Page[DatasetOut]:
    """Datasets that the caller may read."""
    filter_by = DatasetFilter(project_id=project_id, name_contains=name_contains, mine=mine)
    rows, next_cursor = await DatasetRepository(session, viewer).page(page, signer, filter_by)
    return Page[DatasetOut](items=[_dataset_out(row) for row in rows], next_cursor=next_cursor)


@router.get("/{dataset_id}")
async def read_dataset(
    session: SessionDep, viewer: ViewerDep, dataset_id: Id, response: Response
) -> DatasetOut:
    """One dataset."""
    dataset = _dataset_out(await DatasetRepository(session, viewer).get(dataset_id))
    send_etag(response, dataset)
    return dataset


@router.patch("/{dataset_id}")
async def update_dataset(
    session: SessionDep,
    viewer: WriterDep,
    dataset_id: Id,
    data: DatasetUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> DatasetOut:
    """Rename or describe a dataset, or move it to another project."""
    row = await service.writable_dataset(session, viewer, dataset_id)
    check_match(if_match, _dataset_out(row))
    await service.update_dataset(session, viewer, row, data)
    dataset = _dataset_out(row)
    send_etag(response, dataset)
    return dataset


@router.delete("/{dataset_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_dataset(
    session: SessionDep, viewer: WriterDep, dataset_id: Id, if_match: IfMatchDep
) -> None:
    """Move a dataset to the trash."""
    row = await service.writable_dataset(session, viewer, dataset_id)
    check_match(if_match, _dataset_out(row))
    await service.trash_dataset(session, viewer, row)


@router.post(
    "/{dataset_id}/versions", status_code=status.HTTP_201_CREATED, openapi_extra=UPLOAD_BODY
)
async def create_version(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    dataset_id: Id,
    response: Response,
) -> VersionOut:
    """A file or table of the same kind as the next version of a dataset."""
    await service.writable_dataset(session, viewer, dataset_id)
    async with received(request, session, settings.uploads) as got:
        row = await service.add_version(
            session, viewer, dataset_id, got.typed, store=got.store, idempotency=idempotency
        )
    version = version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{version.version}"
    return version


@router.get("/{dataset_id}/versions")
async def list_versions(session: SessionDep, viewer: ViewerDep, dataset_id: Id) -> Page[VersionOut]:
    """All versions, the latest first."""
    await DatasetRepository(session, viewer).get(dataset_id)
    rows = await VersionRepository(session, viewer).list_of(dataset_id)
    return Page[VersionOut](items=[version_out(row) for row in rows], next_cursor=None)


@router.get("/{dataset_id}/versions/{version}")
async def read_version(
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    response: Response,
) -> VersionOut:
    """One version."""
    row = version_out(await VersionRepository(session, viewer).get(dataset_id, version))
    send_etag(response, row)
    return row


@router.get("/{dataset_id}/versions/{version}/profile")
async def read_profile(
    session: SessionDep, viewer: ViewerDep, dataset_id: Id, version: VersionNumber
) -> ProfileOut:
    """The columns of a version: types, roles, and which one a fit would predict."""
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    target = row.suggested_target
    return ProfileOut(
        state=row.profile.state,
        progress=row.profile.progress,
        message=row.profile.progress_message,
        doubts=row.doubts,
        rows=row.rows,
        columns=[ColumnOut.model_validate(column) for column in row.columns],
        suggested_target=None if target is None else SuggestedTarget.model_validate(target),
        warnings=row.warnings,
    )


@router.get("/{dataset_id}/versions/{version}/preview")
async def read_preview(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    limit: Annotated[int, Query(ge=1, le=PREVIEW_ROWS)] = 100,
) -> PreviewOut:
    """The first rows."""
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    blobs = request.app.state.blobs
    preview: PreviewOut = await run_in_threadpool(
        contents, "read_preview", blobs, row.parquet_sha256, row.rows, limit
    )
    return preview


@router.get("/{dataset_id}/versions/{version}/download", response_class=StreamingResponse)
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
