"""The bodies that become versions: a file in a form, or a table as JSON; what is answered."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import field_error
from backend.core.idempotency import Idempotency
from backend.core.openapi import multipart_body
from backend.datasets.connection import body_of, while_connected
from backend.datasets.files import Store, at_hand, original_path, require_quota, storing
from backend.datasets.incoming import Arrival, Incoming
from backend.datasets.inline import JSON_TYPE, receive_json
from backend.datasets.intake import FORM_OVERHEAD, Upload, announced_bytes, receive
from backend.datasets.processes import TableProcesses, TableShare
from backend.datasets.schemas import (
    DatasetCreate,
    InlineTable,
    ReadOptions,
    TypedUpload,
    VersionOut,
)
from backend.datasets.workspaces import workspace
from backend.settings import Settings, UploadSettings
from backend.storage.blobs import BlobStore
from backend.tables import DatasetVersion

UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            **multipart_body(
                name="string",
                description="string",
                project_id="integer",
                **dict.fromkeys(ReadOptions.model_fields, "string"),
            ),
            JSON_TYPE: {"schema": InlineTable.model_json_schema()},
        },
    }
}
SAMPLE: Final = Path(__file__).parent / "samples" / "penguins.csv"
SAMPLE_NAME: Final = "Palmer penguins"
SAMPLE_DESCRIPTION: Final = (
    "Sizes of 344 penguins of three species near Palmer Station, Antarctica. Collected by Kristen "
    "Gorman and the Palmer Station LTER; published by Horst, Hill and Gorman (2020) in the R "
    "package palmerpenguins, in the public domain (CC0)."
)
READ_UPLOAD: Final = "backend.datasets.contents:read_upload"
READ_INLINE: Final = "backend.datasets.contents:read_inline"
Form = TypeVar("Form", bound=BaseModel)


def version_out(row: DatasetVersion) -> VersionOut:
    """A version as it is answered."""
    return VersionOut.model_validate(
        {
            "version": row.version,
            "sha256": row.sha256,
            "content_digest": row.content_digest,
            "rows": row.rows,
            "columns": row.column_count,
            "bytes": row.bytes,
            "file_name": row.file_name,
            "origin": row.origin,
            "warnings": row.warnings,
            "doubts": row.doubts,
            "source": row.source,
            "profile_state": row.profile_state,
            "created_by": row.creator.username,
            "created_at": row.created_at,
            "recipe": row.recipe,
            "parent_version": row.parent_version,
            "replay_of": row.replay_of,
            "inputs": row.inputs,
        }
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A checked upload, not yet kept."""

    data: DatasetCreate
    options: ReadOptions
    typed: TypedUpload
    folder: Path
    store: Store

    def require_name(self) -> None:
        """A table in the body has no file whose name could be the dataset's."""
        if self.typed.origin == "inline" and self.data.name is None:
            raise field_error("name", msg="name the dataset", kind="missing")


@asynccontextmanager
async def sampled(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    settings: Settings,
    project_id: int | None,
) -> AsyncIterator[Received]:
    """The sample that comes with the package, read as any other file."""
    await session.close()
    async with workspace(settings.home) as folder:
        upload = Upload(original_path(folder), folder, file_name=SAMPLE.name)
        content = await asyncio.to_thread(SAMPLE.read_bytes)
        await asyncio.to_thread(upload.path.write_bytes, content)
        upload.bytes, upload.sha256 = len(content), hashlib.sha256(content).hexdigest()
        options = ReadOptions()
        typed = await read_upload(request, viewer, upload, options, settings.uploads)
        data = DatasetCreate(
            name=SAMPLE_NAME, project_id=project_id, description=SAMPLE_DESCRIPTION
        )
        store = _storing(request, session, viewer, settings, typed, folder)
        yield Received(data, options, typed, folder, store)


@asynccontextmanager
async def read_again(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    settings: Settings,
    row: DatasetVersion,
    options: ReadOptions,
) -> AsyncIterator[Received]:
    """The bytes of an upload that is kept, read with other options."""
    await session.close()
    blobs: BlobStore = request.app.state.blobs
    async with (
        workspace(settings.home) as folder,
        at_hand(blobs, row.sha256, folder) as path,
    ):
        upload = Upload(path, folder, row.file_name, row.bytes, row.sha256)
        typed = await read_upload(request, viewer, upload, options, settings.uploads)
        typed = replace(typed, parent_version=row.version)
        store = _storing(request, session, viewer, settings, typed, folder)
        yield Received(DatasetCreate(), options, typed, folder, store)


@asynccontextmanager
async def received(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    settings: Settings,
    idempotency: Idempotency,
) -> AsyncIterator[Received]:
    """Read the body only here, after the dependencies made sure who is calling."""
    async with AsyncExitStack() as stack:
        # The folder goes first: its bytes count until they are gone.
        arrival = stack.enter_context(
            await arriving(request, session, viewer, settings.uploads, idempotency)
        )
        # A slow upload must not hold a database connection.
        await session.close()
        folder = await stack.enter_async_context(workspace(settings.home))
        data, options, typed = await _typed(request, viewer, arrival, folder, settings.uploads)
        store = _storing(request, session, viewer, settings, typed, folder)
        yield Received(data, options, typed, folder, store)


def _storing(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    settings: Settings,
    typed: TypedUpload,
    folder: Path,
) -> Store:
    blobs: BlobStore = request.app.state.blobs
    quota = settings.uploads.quota_bytes
    return storing(session, viewer, blobs, typed, folder=folder, quota_bytes=quota)


async def _typed(
    request: Request, viewer: Viewer, arrival: Arrival, folder: Path, limits: UploadSettings
) -> tuple[DatasetCreate, ReadOptions, TypedUpload]:
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == JSON_TYPE:
        return await _typed_inline(request, viewer, arrival, folder, limits)
    upload = await receive_file(request, arrival, folder, limits)
    options, others = split_options(upload.fields)
    data = validated(DatasetCreate, others)
    return data, options, await read_upload(request, viewer, upload, options, limits)


async def _typed_inline(
    request: Request, viewer: Viewer, arrival: Arrival, folder: Path, limits: UploadSettings
) -> tuple[DatasetCreate, ReadOptions, TypedUpload]:
    upload = await receive_json(
        arrival.counted(body_of(request), FORM_OVERHEAD),
        content_length=request.headers.get("content-length"),
        folder=folder,
        max_bytes=limits.max_json_bytes,
    )
    share = _share_of(request, viewer)
    data, typed = await while_connected(request, share.run(READ_INLINE, upload, limits))
    return data, ReadOptions(), typed


def _share_of(request: Request, viewer: Viewer) -> TableShare:
    tables: TableProcesses = request.app.state.tables
    return tables.share_of(viewer.user_id)


async def arriving(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    limits: UploadSettings,
    idempotency: Idempotency,
) -> AbstractContextManager[Arrival]:
    """What counts an upload; refuses one that would be too much before its body is read."""
    _share_of(request, viewer).require_place()
    announced = announced_bytes(request.headers.get("content-length")) or 0
    added = max(0, announced - FORM_OVERHEAD)
    room = None
    # What is sent again is kept already.
    if not await idempotency.is_known(session, viewer):
        room = await require_quota(session, viewer, added=added, quota_bytes=limits.quota_bytes)
    incoming: Incoming = request.app.state.incoming
    return incoming.taking(viewer.user_id, room, added)


def split_options(fields: Mapping[str, str]) -> tuple[ReadOptions, dict[str, str]]:
    """How the file is to be read, and the other fields beside it."""
    options = {name: value for name, value in fields.items() if name in ReadOptions.model_fields}
    others = {name: value for name, value in fields.items() if name not in options}
    return validated(ReadOptions, options), others


async def receive_file(
    request: Request, arrival: Arrival, folder: Path, limits: UploadSettings
) -> Upload:
    """A file in a form, taken into the folder as it comes."""
    return await receive(
        arrival.counted(body_of(request), FORM_OVERHEAD),
        content_type=request.headers.get("content-type", ""),
        content_length=request.headers.get("content-length"),
        folder=folder,
        max_bytes=limits.max_bytes,
    )


async def read_upload(
    request: Request,
    viewer: Viewer,
    upload: Upload,
    options: ReadOptions,
    limits: UploadSettings,
) -> TypedUpload:
    """Type a received file, in a process that ends when the client goes away."""
    share = _share_of(request, viewer)
    typed: TypedUpload = await while_connected(
        request, share.run(READ_UPLOAD, upload, options, limits)
    )
    return typed


def validated(schema: type[Form], fields: Mapping[str, Any]) -> Form:
    """The text fields of a form by their schema; a 422 names each bad one."""
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        problems = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        raise RequestValidationError(problems) from None
