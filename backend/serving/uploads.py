"""A file to predict for, on its way in, and the answer's file on its way out."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from backend.core.limits import HEAVY_WORK
from backend.datasets.connection import body_of
from backend.datasets.intake import Upload, receive
from backend.serving.predictor import Predictor, Served
from backend.settings import UploadSettings
from backend.storage.blobs import CHUNK_BYTES


async def answer_file(request: Request, served: Served, limits: UploadSettings) -> Response:
    """Predictions for an uploaded CSV file as CSV, for an image as JSON."""
    # Lives until the answer is sent; then it is removed with what is in it.
    folder = tempfile.TemporaryDirectory(prefix="goodfit-predict-")
    try:
        upload = await receive(
            body_of(request),
            content_type=request.headers.get("content-type", ""),
            content_length=request.headers.get("content-length"),
            folder=Path(folder.name),
            max_bytes=(
                limits.max_image_bytes if served.takes_images else limits.max_prediction_bytes
            ),
            is_text=not served.takes_images,
        )
        predictor: Predictor = request.app.state.predictor
        if served.takes_images:
            content = await run_in_threadpool(upload.path.read_bytes)
            async with HEAVY_WORK:
                answer = await run_in_threadpool(predictor.predict_image, served, content)
            folder.cleanup()
            return JSONResponse(answer.model_dump(mode="json"))
        target = upload.path.with_suffix(".csv")
        async with HEAVY_WORK:
            await run_in_threadpool(predictor.predict_file, served, upload.path, target, limits)
    except BaseException:
        folder.cleanup()
        raise
    return _csv(upload, target, folder)


def _csv(
    upload: Upload, target: Path, folder: "tempfile.TemporaryDirectory[str]"
) -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        with folder:
            file = await run_in_threadpool(target.open, "rb")
            with file:
                while chunk := await run_in_threadpool(file.read, CHUNK_BYTES):
                    yield chunk

    name = f"{Path(upload.file_name).stem or 'rows'}-predictions.csv"
    return StreamingResponse(
        content(),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Content-Length": str(target.stat().st_size),
            "Cache-Control": "private, no-store",
        },
    )
