"""`goodfit dashboard`: Streamlit as an ASGI application with our routes, configured in process."""

import importlib
import logging
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
from streamlit.logger import init_uvicorn_logs
from streamlit.web import bootstrap

from backend.core.logs import JsonFormatter, configure_logging
from frontend.headers import SecurityHeaders
from frontend.oidc_routes import ProviderBridge
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
    bridge, provider = Bridge(settings), ProviderBridge(settings)

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        warm_up = threading.Thread(target=_import_table_libraries, daemon=True)
        warm_up.start()
        yield
        await bridge.close()
        await provider.close()

    return st.App(
        SCRIPT,
        routes=[*bridge.routes(), *provider.routes()],
        lifespan=lifespan,
        middleware=[
            Middleware(SecurityHeaders, public_url=settings.urls.dashboard),
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.host_names),
        ],
    )


def _log_as_the_others(level: str) -> None:
    """JSON lines without secrets, Streamlit's and the server's own included."""
    configure_logging(level)
    # Each question to the API would be a line that says nothing to anybody.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    init_uvicorn_logs()
    for logger in [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]:
        for handler in list(logger.handlers):
            handler.setFormatter(JsonFormatter())


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
    _log_as_the_others(settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.dashboard_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws_max_size=UPLOAD_LIMIT_MB * 1_000_000,
    )
    return 0
