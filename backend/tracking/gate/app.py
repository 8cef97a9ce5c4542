"""Builds MLflow's application behind the gate; also the `goodfit` entry of `mlflow server`."""

import gc
import logging
import pkgutil
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.types import ASGIApp

from backend.core.headers import security_headers
from backend.core.hosts import AllowedHosts
from backend.core.observability import RequestContext
from backend.settings import Settings, names
from backend.tracking.gate.authorization import MlflowAccounts
from backend.tracking.gate.callers import CallerDirectory
from backend.tracking.gate.environment import auth_database_url, configure, database_url
from backend.tracking.gate.gate import Gate, Site

AUTHORIZATION_FUNCTION: Final = "backend.tracking.gate.authorization:authenticate"
_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> ASGIApp:
    """MLflow's server with its permissions, behind the gate; migrates MLflow's databases."""
    settings = settings or Settings()  # `mlflow server` calls without arguments
    configure(settings)
    with _quick_import():
        auth = pkgutil.resolve_name("mlflow.server.auth")
    _require(auth.auth_config)
    auth.auth_config = auth.auth_config._replace(
        database_uri=auth_database_url(settings),
        # Nobody signs in with it: who calls is the gate's to say.
        admin_password=secrets.token_urlsafe(32),
    )
    _prepare_store(database_url(settings))
    inner: ASGIApp = auth.create_app()
    service_key = settings.secrets.service_key.get_secret_value()
    gate = Gate(
        inner,
        site=Site(
            dashboard_url=settings.urls.dashboard,
            mlflow_url=settings.urls.mlflow,
            cookie_name=settings.auth.cookie_name,
            cookie_secure=settings.cookie_secure,
            service_key=service_key,
        ),
        directory=CallerDirectory(settings.urls.api_for_processes, service_key),
        accounts=MlflowAccounts(auth.store),
    )
    gc.collect()
    gc.freeze()  # what was imported lives forever
    # MLflow itself asks for the name too, but not on every route.
    hosts = AllowedHosts(gate, names(settings.allowed_hosts))
    # MLflow's pages have a policy of their own.
    return RequestContext(
        hosts, headers=security_headers(settings.urls.mlflow, content_policy=None)
    )


@contextmanager
def _quick_import() -> Iterator[None]:
    """Without collections in between, which take a quarter of the time."""
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="starlette.middleware.wsgi is deprecated")
            yield
    finally:
        gc.enable()


def _require(configuration: Any) -> None:
    """An auth app that was imported earlier, with other settings, would leave everything open."""
    if configuration.authorization_function != AUTHORIZATION_FUNCTION:
        raise RuntimeError("MLflow's auth app was imported before it was configured")
    if configuration.default_permission != "NO_PERMISSIONS":
        raise RuntimeError("MLflow's default permission is not NO_PERMISSIONS")


def _prepare_store(url: str) -> None:
    """Bring MLflow's tables to its version's schema, then open its stores."""
    databases = pkgutil.resolve_name("mlflow.store.db.utils")
    engine = databases.create_sqlalchemy_engine_with_retry(url)
    try:
        # MLflow itself fills an empty database but refuses to upgrade an older one.
        revision = databases._get_schema_version(engine)
        if revision is not None and revision != databases._get_latest_schema_revision():
            _log.info("MLflow's database is upgraded", extra={"revision": revision})
            databases._upgrade_db(engine)
    finally:
        engine.dispose()
    initialize = pkgutil.resolve_name("mlflow.server.handlers:initialize_backend_stores")
    initialize(url, url, "mlflow-artifacts:/")
