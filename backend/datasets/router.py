"""Datasets over HTTP: upload, read, download."""

import pkgutil
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.errors import Conflict
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.limits import HEAVY_WORK
from backend.core.schemas import Id, Page, StorableText, VersionNumber
from backend.datasets import service, trash
from backend.datasets.bodies import UPLOAD_BODY, read_again, received, sampled, version_out
from backend.datasets.connection import while_connected
from backend.datasets.processes import TableProcesses
from backend.datasets.repository import DatasetRepository, TrashRepository, VersionRepository
from backend.datasets.schemas import (
    DatasetFilter,
    DatasetKind,
    DatasetOut,
    DatasetUpdate,
    PreviewOut,
    ReadOptions,
    SampleCreate,
    VersionOut,
)
from backend.storage.blobs import BlobStore
from backend.tables import Dataset

router = APIRouter(prefix="/datasets", tags=["datasets"])

PREVIEW_ROWS = 1_000
READ_PREVIEW: Final = "backend.datasets.previews:preview_json"
READ_LARGE_PREVIEW: Final = "backend.datasets.previews:large_preview_json"
# Text that may be read in this process, to show the beginning of a table.
MOST_TEXT_HERE: Final = 64_000_000


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
        profile_state=latest.profile_state,
        created_by=dataset.creator.username,
        created_at=dataset.created_at,
        updated_at=latest.created_at,
        trashed_at=dataset.trashed_at,
    )


async def dataset_out(session: SessionDep, viewer: ViewerDep, row: Dataset) -> DatasetOut:
    """A dataset as it is answered, with the number of its fits."""
    fits = await DatasetRepository(session, viewer).count_fits([row.id])
    return _dataset_out(row, fits.get(row.id, 0))


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
    async with received(request, session, viewer, settings, idempotency) as got:
        got.require_name()
        row = await service.create_dataset(
            session,
            viewer,
            got.data,
            got.typed,
            store=got.store,
            idempotency=idempotency,
            options=got.options,
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
    kind: DatasetKind | None = None,
    created_by: Annotated[StorableText | None, Query(max_length=200)] = None,
    trashed: bool = False,
) -> Page[DatasetOut]:
    """Datasets that the caller may read, or those in the trash that they may restore."""
    filter_by = DatasetFilter(
        project_id=project_id,
        name_contains=name_contains,
        mine=mine,
        kind=kind,
        created_by=created_by,
    )
    datasets = (TrashRepository if trashed else DatasetRepository)(session, viewer)
    rows, next_cursor = await datasets.page(page, signer, filter_by)
    fits = await datasets.count_fits([row.id for row in rows])
    items = [_dataset_out(row, fits.get(row.id, 0)) for row in rows]
    return Page[DatasetOut](items=items, next_cursor=next_cursor)


@router.get("/{dataset_id}")
async def read_dataset(
    session: SessionDep, viewer: ViewerDep, dataset_id: Id, response: Response
) -> DatasetOut:
    """One dataset."""
    row = await DatasetRepository(session, viewer).get(dataset_id)
    dataset = await dataset_out(session, viewer, row)
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
    dataset = await dataset_out(session, viewer, row)
    send_etag(response, dataset)
    return dataset


@router.delete("/{dataset_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_dataset(
    session: SessionDep, viewer: WriterDep, dataset_id: Id, if_match: IfMatchDep
) -> None:
    """Move a dataset to the trash."""
    row = await service.writable_dataset(session, viewer, dataset_id)
    check_match(if_match, _dataset_out(row))
    await trash.trash_dataset(session, viewer, row)


@router.post("/sample", status_code=status.HTTP_201_CREATED)
async def create_sample(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    response: Response,
    where: SampleCreate | None = None,
) -> DatasetOut:
    """The Palmer penguins as a new dataset, to try things with."""
    project_id = None if where is None else where.project_id
    async with sampled(request, session, viewer, settings, project_id) as got:
        row = await service.create_dataset(
            session, viewer, got.data, got.typed, store=got.store, idempotency=idempotency
        )
    dataset = _dataset_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    send_etag(response, dataset)
    return dataset


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
    async with received(request, session, viewer, settings, idempotency) as got:
        row = await service.add_version(
            session,
            viewer,
            dataset_id,
            got.typed,
            store=got.store,
            idempotency=idempotency,
            options=got.options,
        )
    version = version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{version.version}"
    return version


@router.get("/{dataset_id}/versions")
async def list_versions(
    session: SessionDep, viewer: ViewerDep, page: PageDep, signer: SignerDep, dataset_id: Id
) -> Page[VersionOut]:
    """Its versions, the latest first."""
    await DatasetRepository(session, viewer).get(dataset_id)
    versions = VersionRepository(session, viewer)
    rows, next_cursor = await versions.page_of(dataset_id, page, signer)
    return Page[VersionOut](items=[version_out(row) for row in rows], next_cursor=next_cursor)


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


@router.post("/{dataset_id}/versions/{version}/read-again", status_code=status.HTTP_201_CREATED)
async def read_version_again(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    dataset_id: Id,
    version: VersionNumber,
    options: ReadOptions,
    response: Response,
) -> VersionOut:
    """The bytes of an uploaded version, read with other options, as the next version."""
    await service.writable_dataset(session, viewer, dataset_id)
    before = await VersionRepository(session, viewer).get(dataset_id, version)
    if before.origin != "upload":
        raise Conflict(
            "This version was not sent as a file, so there is none to read again.",
            code="not_an_upload",
        )
    async with read_again(request, session, viewer, settings, before, options) as got:
        row = await service.add_version(
            session,
            viewer,
            dataset_id,
            got.typed,
            store=got.store,
            idempotency=idempotency,
            options=options,
        )
    made = version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{made.version}"
    return made


@router.get("/{dataset_id}/versions/{version}/preview", response_model=PreviewOut)
async def read_preview(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    dataset_id: Id,
    version: VersionNumber,
    limit: Annotated[int, Query(ge=1, le=PREVIEW_ROWS)] = 100,
) -> Response:
    """The first rows; of long texts the beginning, and fewer rows where they are large."""
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    await session.close()  # reading files must not hold a database connection
    asked = (row.parquet_sha256, row.rows, limit)
    blobs: BlobStore = request.app.state.blobs
    async with HEAVY_WORK:
        read = partial(pkgutil.resolve_name(READ_PREVIEW), blobs, *asked, MOST_TEXT_HERE)
        content = await run_in_threadpool(read)
    if content is None:
        tables: TableProcesses = request.app.state.tables
        share = tables.share_of(viewer.user_id, looks=True)
        work = share.run(READ_LARGE_PREVIEW, settings.files_url, *asked)
        content = await while_connected(request, work)
    return Response(content, media_type="application/json")
