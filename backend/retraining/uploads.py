"""Retraining with an uploaded file: it becomes the next version of the champion's dataset."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import AppError, TooLarge, UnsupportedMediaType, field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.bodies import (
    arriving,
    read_upload,
    receive_file,
    split_options,
)
from backend.datasets.connection import body_of
from backend.datasets.files import Store, storing
from backend.datasets.schemas import ReadOptions, TypedUpload
from backend.datasets.service import add_version
from backend.datasets.workspaces import workspace
from backend.retraining import service
from backend.retraining.checks import require_fitting_data, require_same_images
from backend.retraining.repository import RetrainingRepository
from backend.retraining.schemas import RetrainRequest
from backend.settings import Settings
from backend.tables import Retraining

IMAGE_SIZE: Final = "backend.datasets.contents:image_size"


class MalformedBody(AppError):
    """The body is no JSON"""

    status = 400
    code = "malformed_request"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What came beside the file."""

    data: RetrainRequest
    options: ReadOptions
    # Of a file of images.
    image_size: dict[str, int] | None


async def read_request(request: Request, max_bytes: int) -> RetrainRequest:
    """The JSON body of a route that reads its body itself; an empty one means the defaults."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        raise UnsupportedMediaType("Send JSON, or a file as multipart/form-data in `file`.")
    body = bytearray()
    async for chunk in body_of(request):
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
    settings: Settings,
    idempotency: Idempotency,
) -> Retraining:
    """Check the file against the model, keep it as a version, and queue the retraining."""
    # Whether it may be done at all, before a large body is read; what is sent again was.
    if not await idempotency.is_known(session, viewer):
        model = await service.retrainable_model(session, viewer, model_id)
        await service.champion_of(session, viewer, model)
    counting = await arriving(request, session, viewer, settings.uploads, idempotency)
    await session.rollback()  # a slow upload must hold neither lock nor connection
    async with AsyncExitStack() as stack:
        arrival = stack.enter_context(counting)
        folder = await stack.enter_async_context(workspace(settings.home))
        upload = await receive_file(request, arrival, folder, settings.uploads)
        options, others = split_options(upload.fields)
        data = _fields(others)
        typed = await read_upload(request, viewer, upload, options, settings.uploads)
        size = None
        if typed.kind == "image":
            size = await request.app.state.tables.share_of(viewer.user_id).run(IMAGE_SIZE, folder)
        store = storing(
            session,
            viewer,
            request.app.state.blobs,
            typed,
            folder=folder,
            quota_bytes=settings.uploads.quota_bytes,
        )
        asked = _Asked(data, options, size)
        return await _start(session, viewer, model_id, asked, typed, store, idempotency)


async def _start(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    asked: _Asked,
    typed: TypedUpload,
    store: Store,
    idempotency: Idempotency,
) -> Retraining:
    data = asked.data
    options = asked.options.model_dump(exclude_none=True)
    content = fingerprint([model_id, data.model_dump(mode="json"), typed.sha256, options])
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await RetrainingRepository(session, viewer).get(made)
    model = await service.retrainable_model(session, viewer, model_id)
    champion = await service.champion_of(session, viewer, model)
    champion_input = champion.fit.outcome["input_columns"][0]
    if asked.image_size is not None and champion_input["type"] == "image":
        require_same_images(asked.image_size, champion_input)
    require_fitting_data(typed.columns, typed.rows, champion.fit.outcome, "file")
    once = Idempotency(route=idempotency.route, key=None)
    version = await add_version(
        session, viewer, champion.fit.dataset_id, typed, store=store, idempotency=once
    )
    row = await service.start(session, viewer, model, champion, version, data, place="file")
    await idempotency.remember(session, viewer, content, row.id)
    return row
