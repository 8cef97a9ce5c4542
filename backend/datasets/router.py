"""Datasets over HTTP: upload, read, download."""

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page, StorableText, VersionNumber
from backend.datasets import service
from backend.datasets.intake import receive, workspace
from backend.datasets.repository import DatasetRepository, VersionRepository
from backend.datasets.schemas import (
    ColumnOut,
    DatasetCreate,
    DatasetFilter,
    DatasetOut,
    DatasetUpdate,
    PreviewOut,
    ProfileOut,
    SuggestedTarget,
    TypedUpload,
    VersionOut,
)
from backend.settings import UploadSettings
from backend.tables import Dataset, DatasetVersion

router = APIRouter(prefix="/datasets", tags=["datasets"])

PREVIEW_ROWS = 1_000
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "name": {"type": "string"},
                        "description": {"type": "string"},
                        "project_id": {"type": "integer"},
                    },
                }
            }
        },
    }
}


def _dataset_out(dataset: Dataset) -> DatasetOut:
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
        created_by=dataset.creator.username,
        created_at=dataset.created_at,
    )


def _version_out(row: DatasetVersion) -> VersionOut:
    return VersionOut(
        version=row.version,
        sha256=row.sha256,
        content_digest=row.content_digest,
        rows=row.rows,
        columns=row.column_count,
        bytes=row.bytes,
        file_name=row.file_name,
        origin="upload",
        warnings=row.warnings,
        created_at=row.created_at,
    )


def _contents(function: str, *arguments: Any) -> Any:
    """Call `datasets.contents`, which is loaded when it is first needed; runs in a thread."""
    return pkgutil.resolve_name(f"backend.datasets.contents:{function}")(*arguments)


@dataclass(frozen=True, slots=True)
class _Received:
    """A checked upload, not yet kept."""

    data: DatasetCreate
    typed: TypedUpload
    store: service.Store


@asynccontextmanager
async def _received(
    request: Request, session: SessionDep, limits: UploadSettings
) -> AsyncIterator[_Received]:
    """Read the body only here, after the dependencies made sure who is calling."""
    # A slow upload must not hold a database connection.
    await session.close()
    blobs = request.app.state.blobs
    with workspace() as folder:
        upload = await receive(
            request.stream(),
            content_type=request.headers.get("content-type", ""),
            content_length=request.headers.get("content-length"),
            folder=folder,
            max_bytes=limits.max_bytes,
            archives=True,
        )
        try:
            data = DatasetCreate.model_validate(upload.fields)
        except ValidationError as error:
            problems = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
            raise RequestValidationError(problems) from None
        typed: TypedUpload = await run_in_threadpool(_contents, "type_upload", upload, limits)

        async def store() -> None:
            await run_in_threadpool(_contents, "store_upload", upload, typed, blobs)

        yield _Received(data, typed, store)


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=_UPLOAD_BODY)
async def create_dataset(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    response: Response,
) -> DatasetOut:
    """Upload a CSV file, or a zip of images with `labels.txt`, as a new dataset."""
    async with _received(request, session, settings.uploads) as got:
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
    """Rename or describe a dataset."""
    row = await service.writable_dataset(session, viewer, dataset_id)
    check_match(if_match, _dataset_out(row))
    await service.update_dataset(session, row, data)
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
    await service.trash_dataset(session, row)


@router.post(
    "/{dataset_id}/versions", status_code=status.HTTP_201_CREATED, openapi_extra=_UPLOAD_BODY
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
    """Upload a file of the same kind as the next version of a dataset."""
    await service.writable_dataset(session, viewer, dataset_id)
    async with _received(request, session, settings.uploads) as got:
        row = await service.add_version(
            session, viewer, dataset_id, got.typed, store=got.store, idempotency=idempotency
        )
    version = _version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{version.version}"
    return version


@router.get("/{dataset_id}/versions")
async def list_versions(session: SessionDep, viewer: ViewerDep, dataset_id: Id) -> Page[VersionOut]:
    """All versions, the latest first."""
    await DatasetRepository(session, viewer).get(dataset_id)
    rows = await VersionRepository(session, viewer).list_of(dataset_id)
    return Page[VersionOut](items=[_version_out(row) for row in rows], next_cursor=None)


@router.get("/{dataset_id}/versions/{version}")
async def read_version(
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    response: Response,
) -> VersionOut:
    """One version."""
    row = _version_out(await VersionRepository(session, viewer).get(dataset_id, version))
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
        _contents, "read_preview", blobs, row.parquet_sha256, row.rows, limit
    )
    return preview


@router.get("/{dataset_id}/versions/{version}/download", response_class=StreamingResponse)
async def download_version(
    request: Request, session: SessionDep, viewer: ViewerDep, dataset_id: Id, version: VersionNumber
) -> StreamingResponse:
    """The bytes as they were uploaded."""
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    return StreamingResponse(
        request.app.state.blobs.stream(row.sha256),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.file_name)}",
            "Content-Length": str(row.bytes),
            "ETag": f'"{row.sha256}"',
            "Cache-Control": "private, no-cache",
        },
    )
