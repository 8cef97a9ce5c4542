"""Retraining with an uploaded file: it becomes the next version of the champion's dataset."""

from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import AppError, TooLarge, UnsupportedMediaType, field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.bodies import contents
from backend.datasets.intake import receive, workspace
from backend.datasets.schemas import TypedUpload
from backend.datasets.service import add_version
from backend.retraining import service
from backend.retraining.checks import require_fitting_data, require_same_images
from backend.retraining.repository import RetrainingRepository
from backend.retraining.schemas import RetrainRequest
from backend.settings import UploadSettings
from backend.tables import Retraining


class MalformedBody(AppError):
    """The body is no JSON"""

    status = 400
    code = "malformed_request"


async def read_request(request: Request, max_bytes: int) -> RetrainRequest:
    """The JSON body of a route that reads its body itself; an empty one means the defaults."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        raise UnsupportedMediaType("Send JSON, or a file as multipart/form-data in `file`.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"The body is larger than {max_bytes:,} bytes.")
    try:
        return RetrainRequest.model_validate_json(bytes(body) or b"{}")
    except ValidationError as error:
        entries = error.errors()
        if entries[0]["type"] == "json_invalid":
            raise MalformedBody("The body is not valid JSON.") from None
        raise _at_body(entries) from None


def _at_body(entries: Any) -> RequestValidationError:
    return RequestValidationError([{**entry, "loc": ("body", *entry["loc"])} for entry in entries])


def _fields(fields: dict[str, str]) -> RetrainRequest:
    """The text fields beside a file."""
    for name in ("dataset_id", "version"):
        if name in fields:
            raise field_error(name, msg="the file becomes a version of the champion's dataset")
    try:
        return RetrainRequest.model_validate(fields)
    except ValidationError as error:
        raise _at_body(error.errors()) from None


async def retrain_with_file(
    request: Request,
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    *,
    limits: UploadSettings,
    idempotency: Idempotency,
) -> Retraining:
    """Check the file against the model, keep it as a version, and queue the retraining."""
    # Whether it may be done at all, before a large body is read.
    model = await service.retrainable_model(session, viewer, model_id)
    champion = await service.champion_of(session, viewer, model)
    champion_input = champion.fit.outcome["input_columns"][0]
    await session.rollback()  # a slow upload must hold neither lock nor connection
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
        data = _fields(upload.fields)
        typed: TypedUpload = await run_in_threadpool(contents, "type_upload", upload, limits)
        if typed.kind == "image" and champion_input["type"] == "image":
            size = await run_in_threadpool(contents, "image_size", upload)
            require_same_images(size, champion_input)

        async def store() -> None:
            await run_in_threadpool(contents, "store_upload", upload, typed, blobs)

        return await _start(session, viewer, model_id, data, typed, store, idempotency)


async def _start(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    data: RetrainRequest,
    typed: TypedUpload,
    store: Any,
    idempotency: Idempotency,
) -> Retraining:
    content = fingerprint([model_id, data.model_dump(mode="json"), typed.sha256])
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await RetrainingRepository(session, viewer).get(made)
    model = await service.retrainable_model(session, viewer, model_id)
    champion = await service.champion_of(session, viewer, model)
    require_fitting_data(typed.columns, typed.rows, champion.fit.outcome, "file")
    once = Idempotency(route=idempotency.route, key=None)
    version = await add_version(
        session, viewer, champion.fit.dataset_id, typed, store=store, idempotency=once
    )
    row = await service.start(session, viewer, model, champion, version, data, place="file")
    await idempotency.remember(session, viewer, content, row.id)
    return row
