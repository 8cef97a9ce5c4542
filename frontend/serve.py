"""`goodfit dashboard`: Streamlit as an ASGI application with our routes, configured in process."""

import importlib
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.web import bootstrap

from frontend.headers import SecurityHeaders
from frontend.routes import Bridge
from frontend.settings import DashboardSettings, dashboard_settings
from frontend.theme import THEME

SCRIPT: Final = Path(__file__).with_name("app.py")
UPLOAD_LIMIT_MB: Final = 200
CACHE_LIMIT: Final = "256MB"
# Open pages hold a websocket each; they must not keep the process from ending.
SHUTDOWN_SECONDS: Final = 2
TABLE_LIBRARIES: Final = ("pandas", "pyarrow")
PAGES: Final = (
    *("home", "new_fit", "fits", "fit", "datasets", "dataset", "models", "model"),
    *("admin", "account", "login"),
)


def streamlit_options(settings: DashboardSettings) -> dict[str, Any]:
    """Streamlit's configuration, by the names of its own options."""
    return {
        "global.developmentMode": False,
        "server.address": settings.host,
        "server.port": settings.dashboard_port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.allowedHosts": settings.host_names,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "server.maxUploadSize": UPLOAD_LIMIT_MB,
        "server.maxCacheDataSize": CACHE_LIMIT,
        "server.cookieSecret": settings.secrets.cookie_key.get_secret_value(),
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "runner.magicEnabled": False,
        "logger.level": settings.log_level.lower(),
        **THEME,
    }


def configure(settings: DashboardSettings) -> None:
    """Sets the options in this process; no configuration file of the machine is followed."""
    os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"
    bootstrap.load_config_options(streamlit_options(settings))


def create_app(settings: DashboardSettings) -> st.App:
    """The dashboard as an ASGI application."""
    bridge = Bridge(settings)

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        warm_up = threading.Thread(target=_import_table_libraries, daemon=True)
        warm_up.start()
        yield
        await bridge.close()

    return st.App(
        SCRIPT,
        routes=bridge.routes(),
        lifespan=lifespan,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.host_names),
            Middleware(SecurityHeaders),
        ],
    )


def _import_table_libraries() -> None:
    """Streamlit loads them with the first table: a second that somebody would wait for."""
    for name in TABLE_LIBRARIES:
        importlib.import_module(name)


def serve() -> int:
    """Serves until it is told to end."""
    settings = dashboard_settings()
    configure(settings)
    app = create_app(settings)
    for page in PAGES:  # else the first visitor waits for the imports
        importlib.import_module(f"frontend.views.{page}")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.dashboard_port,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws_max_size=UPLOAD_LIMIT_MB * 1_000_000,
    )
    return 0
