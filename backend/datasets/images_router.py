"""The images of a dataset over HTTP, to be looked at."""

import pkgutil
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep
from backend.core.deps import SessionDep
from backend.core.errors import Absent, Conflict
from backend.core.etag import matches
from backend.core.schemas import Id, VersionNumber
from backend.datasets.repository import DatasetRepository, VersionRepository
from backend.datasets.schemas import ImageList
from backend.tables import DatasetVersion

router = APIRouter(prefix="/datasets", tags=["datasets"])

PREVIEWS: Final = "backend.datasets.previews"
MOST_LISTED: Final = 1_000
LARGEST_ROW: Final = 2**31


async def _image_version(
    session: SessionDep, viewer: ViewerDep, dataset_id: int, version: int
) -> DatasetVersion:
    dataset = await DatasetRepository(session, viewer).get(dataset_id)
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    if dataset.kind != "image":
        raise Conflict("This dataset is a table; it has no images.", code="dataset_without_images")
    return row


@router.get("/{dataset_id}/versions/{version}/images")
async def list_images(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> ImageList:
    """Labels and names of the first images, in the order of the labels."""
    found = await _image_version(session, viewer, dataset_id, version)
    await session.close()
    read = pkgutil.resolve_name(f"{PREVIEWS}:list_of_images")
    images: ImageList = await run_in_threadpool(
        read, request.app.state.blobs, found.parquet_sha256, found.rows, limit
    )
    return images


@router.get(
    "/{dataset_id}/versions/{version}/images/{row}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, 304: {"description": "You have it already"}},
)
async def read_image(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    row: Annotated[int, Path(ge=0, le=LARGEST_ROW)],
    if_none_match: Annotated[str | None, Header(max_length=2_000)] = None,
) -> Response:
    """One image as a PNG file; versions never change, so the browser's copy stays good."""
    found = await _image_version(session, viewer, dataset_id, version)
    if row >= found.rows:
        raise Absent(f"This version has no image {row}; the last one is {found.rows - 1}.")
    await session.close()
    etag = f'"{found.parquet_sha256}-{row}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if if_none_match is not None and matches(if_none_match, etag):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    draw = pkgutil.resolve_name(f"{PREVIEWS}:png_of_image")
    content = await run_in_threadpool(draw, request.app.state.blobs, found.parquet_sha256, row)
    return Response(content, media_type="image/png", headers=headers)
