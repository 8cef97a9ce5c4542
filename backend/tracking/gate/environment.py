"""What `mlflow server` would set before it starts a worker, from our settings.

MLflow reads its configuration from the environment; its database's address has no place on a
command line, where every account of the machine could read it.
"""

import hashlib
import hmac
import os
import uuid
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import SecretStr

from backend.settings import Settings
from backend.tracking import QUIET_ENVIRONMENT

_AUTH_CONFIGURATION: Final = Path(__file__).with_name("auth.ini")
# Left over from a person's own use of MLflow; each would bend the server.
_FOREIGN: Final = (
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_AUTH_ADMIN_USERNAME",
    "MLFLOW_DEPLOYMENTS_TARGET",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
    "MLFLOW_TRACKING_URI",
    "_MLFLOW_STATIC_PREFIX",
)


class TrackingNotConfigured(ValueError):
    """A setting that MLflow's server needs is missing."""


def driver_url(url: SecretStr | None, variable: str) -> str:
    """The address for SQLAlchemy with the driver that is installed."""
    if url is None:
        raise TrackingNotConfigured(f"{variable}: MLflow's server needs it")
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise TrackingNotConfigured(f"{variable}: not a PostgreSQL address")
    return f"postgresql+psycopg://{rest}"


def database_url(settings: Settings) -> str:
    """Where MLflow keeps runs and models."""
    return driver_url(settings.tracking.database_url, "GOODFIT_TRACKING__DATABASE_URL")


def auth_database_url(settings: Settings) -> str:
    """Where MLflow keeps users and permissions."""
    return driver_url(settings.tracking.auth_database_url, "GOODFIT_TRACKING__AUTH_DATABASE_URL")


def configure(settings: Settings) -> None:
    """Set the environment; must come before MLflow's server is imported."""
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(QUIET_ENVIRONMENT)
    os.environ.update(_server_environment(settings))
    artifacts = urlsplit(settings.artifacts_url)
    if artifacts.scheme == "file":
        Path(url2pathname(artifacts.path)).mkdir(mode=0o700, parents=True, exist_ok=True)


def _server_environment(settings: Settings) -> dict[str, str]:
    key = settings.secrets.service_key.get_secret_value().encode()
    hosts = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]
    return {
        "_MLFLOW_SERVER_FILE_STORE": database_url(settings),
        "_MLFLOW_SERVER_REGISTRY_STORE": database_url(settings),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": settings.artifacts_url,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_AUTH_CONFIG_PATH": str(_AUTH_CONFIGURATION),
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        "MLFLOW_ENABLE_WORKSPACES": "false",
        # Signs MLflow's forms, which are closed; must not be the service key itself.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": hmac.new(key, b"mlflow", hashlib.sha256).hexdigest(),
        # MLflow compares with the port included.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(f"{host},{host}:*" for host in hosts),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
    }
