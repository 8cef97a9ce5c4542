"""The API process: builds the application and serves it."""

import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from backend.api import STREAMED_PATHS, build_router
from backend.core import problems
from backend.core.db import create_engine, create_read_sessions, create_sessions
from backend.core.hosts import AllowedHosts
from backend.core.instruments import observe_request
from backend.core.limits import BodyLimit
from backend.core.logs import configure_logging
from backend.core.observability import RequestContext
from backend.core.pagination import CursorSigner
from backend.core.schemas import Problem
from backend.operations.health import router as health
from backend.operations.metrics import router as metrics
from backend.rendering import Renderer
from backend.serving.predictor import Predictor
from backend.serving.service import KnownModels
from backend.settings import Settings, names
from backend.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
PROBLEM_CONTENT = {"application/problem+json": {"schema": Problem.model_json_schema()}}
# What any route may answer; stated once instead of at each route.
COMMON_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": PROBLEM_CONTENT}
    for status, text in {
        400: "Malformed",
        401: "Not signed in",
        403: "Role too low",
        404: "Absent or not yours",
        409: "Conflict",
        412: "Changed meanwhile",
        413: "Too large",
        415: "Format not accepted",
        422: "Not valid",
        429: "Too many",
        503: "Not available",
    }.items()
}


def create_app(settings: Settings) -> FastAPI:
    """The application with all routes; opens nothing before its lifespan starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings.database)
        renderer = Renderer()
        app.state.engine = engine
        app.state.sessions = create_sessions(engine)
        app.state.read_sessions = create_read_sessions(engine)
        app.state.renderer = renderer
        renderer.warm_up()
        gc.collect()
        gc.freeze()  # what was imported lives forever; collecting it again costs tail latency
        try:
            yield
        finally:
            renderer.close()
            await engine.dispose()

    app = FastAPI(
        title="Goodfit",
        description="A shared lab for model fits.",
        version="1",
        lifespan=lifespan,
        responses=COMMON_RESPONSES,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.blobs = BlobStore(settings.files_url)
    app.state.predictor = Predictor(app.state.blobs)
    app.state.known_models = KnownModels()
    app.state.cursor_signer = CursorSigner(settings.secrets.token_key.get_secret_value().encode())
    problems.install(app)
    app.include_router(health)
    app.include_router(metrics)
    app.include_router(build_router())
    app.add_middleware(
        BodyLimit, max_bytes=settings.uploads.max_json_bytes, streamed=STREAMED_PATHS
    )
    app.add_middleware(AllowedHosts, allowed=names(settings.allowed_hosts))
    app.add_middleware(RequestContext, on_error=problems.unexpected, observe=observe_request)
    return app


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT."""
    # One row is predicted faster by one thread than by a pool, and requests share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.auth.trusted_proxies,
        timeout_graceful_shutdown=8,
    )
    return 0
