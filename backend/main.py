"""The API process: builds the application and serves it."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from backend.accounts.oidc_provider import CALLBACK_PATH, Provider
from backend.api import STREAMED_PATHS, build_router
from backend.core import docs_page, problems
from backend.core.db import create_engine, create_read_sessions, create_sessions
from backend.core.headers import security_headers
from backend.core.hosts import AllowedHosts, UnknownHost
from backend.core.instruments import observe_request
from backend.core.limits import BodyLimit
from backend.core.logs import configure_logging
from backend.core.observability import RequestContext, UncaughtErrors
from backend.core.pagination import CursorSigner
from backend.core.schemas import Problem
from backend.datasets.incoming import Incoming
from backend.datasets.processes import TableProcesses
from backend.datasets.workspaces import sweep_again_and_again
from backend.operations.health import router as health
from backend.operations.metrics import router as metrics
from backend.rendering import Renderer
from backend.serving.predictor import Predictor
from backend.serving.service import KnownModels
from backend.settings import Settings, names
from backend.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
# What pages of the sites in GOODFIT_CORS_ORIGINS may send and read; never cookies.
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_REQUEST_HEADERS = (
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
)
CORS_ANSWER_HEADERS = ("Content-Disposition", "ETag", "Location", "Retry-After", "X-Request-ID")
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
        tables = TableProcesses(settings.uploads)
        app.state.tables = tables
        tables.warm_up()
        sweeping = asyncio.create_task(sweep_again_and_again(settings.home, app.state.blobs))
        gc.collect()
        gc.freeze()  # what was imported lives forever; collecting it again costs tail latency
        try:
            yield
        finally:
            renderer.close()
            sweeping.cancel()
            await tables.close()
            await engine.dispose()

    app = FastAPI(
        title="Goodfit",
        description="A shared lab for model fits.",
        version="1",
        lifespan=lifespan,
        responses=COMMON_RESPONSES,
        redirect_slashes=False,
        openapi_url=docs_page.OPENAPI_PATH if settings.docs else None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.blobs = BlobStore(settings.files_url)
    app.state.predictor = Predictor(app.state.blobs)
    app.state.known_models = KnownModels()
    app.state.incoming = Incoming()
    app.state.provider = _provider(settings)
    app.state.cursor_signer = CursorSigner(*(key.encode() for key in settings.secrets.token_keys))
    problems.install(app)
    if settings.docs:
        docs_page.install(app)
    app.include_router(health)
    app.include_router(metrics)
    app.include_router(build_router())
    _add_middleware(app, settings)
    return app


def _provider(settings: Settings) -> Provider | None:
    issuer = settings.oidc.issuer
    if issuer is None:
        return None
    redirect_uri = settings.urls.dashboard.rstrip("/") + CALLBACK_PATH
    return Provider(settings.oidc, issuer=issuer, redirect_uri=redirect_uri)


def _refuse_unknown_host() -> Response:
    return problems.render(UnknownHost())


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """The last one added is the outermost."""
    app.add_middleware(
        BodyLimit, max_bytes=settings.uploads.max_json_bytes, streamed=STREAMED_PATHS
    )
    app.add_middleware(UncaughtErrors, on_error=problems.unexpected)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=names(settings.cors_origins),
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        )
    app.add_middleware(
        AllowedHosts, allowed=names(settings.allowed_hosts), refuse=_refuse_unknown_host
    )
    app.add_middleware(
        RequestContext, headers=security_headers(settings.urls.api), observe=observe_request
    )


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
        proxy_headers=True,
        forwarded_allow_ips=list(names(settings.auth.trusted_proxies)),
        timeout_graceful_shutdown=8,
    )
    return 0
