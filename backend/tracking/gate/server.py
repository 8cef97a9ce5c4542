"""The MLflow process: environment first, then MLflow's import, then one uvicorn server."""

import hashlib
import logging
import os
import pkgutil
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvicorn

from backend.core.observability import configure_logging
from backend.settings import Settings

_log = logging.getLogger(__name__)
APP: Final = "backend.tracking.gate.app:create_app"
PREPARE_STORES: Final = "mlflow.server.handlers:initialize_backend_stores"
ARTIFACT_PROXY: Final = "mlflow-artifacts:/"
SERVICE_USER: Final = "goodfit-service"
# MLflow reads these names while it is imported. `mlflow server` would set them in a second
# process; setting them here saves an import of four seconds and 180 MB.
BACKEND_STORE: Final = "_MLFLOW_SERVER_FILE_STORE"
ARTIFACT_ROOT: Final = "_MLFLOW_SERVER_ARTIFACT_ROOT"
ARTIFACT_DESTINATION: Final = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
SERVE_ARTIFACTS: Final = "_MLFLOW_SERVER_SERVE_ARTIFACTS"
SERVER_KIND: Final = "_MLFLOW_SGI_NAME"

AUTH_CONFIG: Final = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = {database_uri}
admin_username = {admin}
authorization_function = backend.tracking.gate.identity:authenticate
grant_default_workspace_access = false
"""


def _derived(key: str, purpose: str) -> str:
    """A secret of its own for a purpose, stable over restarts."""
    return hashlib.sha256(f"{purpose}:{key}".encode()).hexdigest()


def _environment(settings: Settings, database_url: str) -> dict[str, str]:
    hosts = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]
    return {
        BACKEND_STORE: database_url,
        ARTIFACT_ROOT: ARTIFACT_PROXY,
        ARTIFACT_DESTINATION: settings.artifacts_url,
        SERVE_ARTIFACTS: "true",
        SERVER_KIND: "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _derived(
            settings.secrets.cookie_key.get_secret_value(), "mlflow"
        ),
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*hosts, *(f"{host}:*" for host in hosts)]),
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
        # The password of a user whom nobody signs in as; kept only in this process.
        "MLFLOW_AUTH_ADMIN_PASSWORD": secrets.token_urlsafe(32),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def serve(settings: Settings) -> int:
    """Serve MLflow until SIGTERM or SIGINT."""
    configure_logging(settings.log_level)
    tracking = settings.tracking
    if tracking.database_url is None or tracking.auth_database_url is None:
        sys.stderr.write(
            "goodfit mlflow: set GOODFIT_TRACKING__DATABASE_URL and "
            "GOODFIT_TRACKING__AUTH_DATABASE_URL\n"
        )
        return 2
    os.environ.update(_environment(settings, tracking.database_url.get_secret_value()))
    with tempfile.TemporaryDirectory(prefix="goodfit-mlflow-") as folder:
        # MLflow takes this address from a file only; the file goes once it was read.
        config = Path(folder) / "auth.ini"
        config.touch(mode=0o600)
        database_uri = tracking.auth_database_url.get_secret_value().replace("%", "%%")
        config.write_text(AUTH_CONFIG.format(database_uri=database_uri, admin=SERVICE_USER))
        os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(config)
        app = pkgutil.resolve_name(APP)()
    # Makes or checks MLflow's tables now: a bad address fails the start, not the first request.
    database_url = tracking.database_url.get_secret_value()
    pkgutil.resolve_name(PREPARE_STORES)(database_url, database_url, ARTIFACT_PROXY)
    configure_logging(settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.mlflow_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0
