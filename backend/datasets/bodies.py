"""The bodies that become versions: a file in a form, or a table as JSON; what is answered."""

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.errors import field_error
from backend.core.openapi import multipart_body
from backend.datasets import service
from backend.datasets.inline import JSON_TYPE, parse_inline, receive_json
from backend.datasets.intake import Upload, receive, workspace
from backend.datasets.schemas import DatasetCreate, InlineTable, TypedUpload, VersionOut
from backend.settings import UploadSettings
from backend.tables import DatasetVersion

UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            **multipart_body(name="string", description="string", project_id="integer"),
            JSON_TYPE: {"schema": InlineTable.model_json_schema()},
        },
    }
}


def contents(function: str, *arguments: Any, **options: Any) -> Any:
    """Call `datasets.contents`, which is loaded when it is first needed; runs in a thread."""
    return pkgutil.resolve_name(f"backend.datasets.contents:{function}")(*arguments, **options)


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
            "profile_state": row.profile.state,
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
    typed: TypedUpload
    store: service.Store

    def require_name(self) -> None:
        """A table in the body has no file whose name could be the dataset's."""
        if self.typed.origin == "inline" and self.data.name is None:
            raise field_error("name", msg="name the dataset", kind="missing")


@asynccontextmanager
async def received(
    request: Request, session: AsyncSession, limits: UploadSettings
) -> AsyncIterator[Received]:
    """Read the body only here, after the dependencies made sure who is calling."""
    # A slow upload must not hold a database connection.
    await session.close()
    blobs = request.app.state.blobs
    with workspace() as folder:
        upload, data, typed = await _typed(request, folder, limits)

        async def store() -> None:
            await run_in_threadpool(contents, "store_upload", upload, typed, blobs)

        yield Received(data, typed, store)


async def _typed(
    request: Request, folder: Path, limits: UploadSettings
) -> tuple[Upload, DatasetCreate, TypedUpload]:
    content_type = request.headers.get("content-type", "")
    length = request.headers.get("content-length")
    if content_type.partition(";")[0].strip().lower() == JSON_TYPE:
        upload = await receive_json(
            request.stream(),
            content_length=length,
            folder=folder,
            max_bytes=limits.max_json_bytes,
        )
        inline = await run_in_threadpool(parse_inline, upload)
        data = DatasetCreate(
            name=inline.name, project_id=inline.project_id, description=inline.description
        )
        typed = await run_in_threadpool(contents, "type_inline", upload, inline, limits)
        return upload, data, typed
    upload = await receive(
        request.stream(),
        content_type=content_type,
        content_length=length,
        folder=folder,
        max_bytes=limits.max_bytes,
        archives=True,
    )
    try:
        data = DatasetCreate.model_validate(upload.fields)
    except ValidationError as error:
        problems = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        raise RequestValidationError(problems) from None
    return upload, data, await run_in_threadpool(contents, "type_upload", upload, limits)
