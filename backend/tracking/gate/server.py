"""The `mlflow` process: one uvicorn server with MLflow behind the gate."""

import logging
import signal
import sys
from typing import Final

import psycopg
import uvicorn

from backend.core.logs import configure_logging
from backend.settings import Settings, names
from backend.tracking.gate.app import create_app
from backend.tracking.gate.environment import (
    TrackingNotConfigured,
    auth_database_url,
    database_url,
)

_log = logging.getLogger(__name__)
CANNOT_START: Final = 1
WRONG_SETTINGS: Final = 2
_CONNECT_SECONDS: Final = 5
_DRAIN_SECONDS: Final = 5


class DatabaseMissing(RuntimeError):
    """One of MLflow's databases cannot be reached."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; answers the exit code."""
    # uvicorn handles the signal, then raises it again: a wanted end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    configure_logging(settings.log_level)
    # A line per migration, and one per question to the API, say nothing to anybody.
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        _reach("GOODFIT_TRACKING__DATABASE_URL", database_url(settings))
        _reach("GOODFIT_TRACKING__AUTH_DATABASE_URL", auth_database_url(settings))
    except TrackingNotConfigured as error:
        return _give_up(str(error), WRONG_SETTINGS)
    except DatabaseMissing as error:
        return _give_up(str(error), CANNOT_START)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.mlflow_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(names(settings.auth.trusted_proxies)),
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return 0


def _reach(variable: str, url: str) -> None:
    """Fail soon and clearly; MLflow itself would try for a minute and then show a traceback."""
    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        with psycopg.connect(address, connect_timeout=_CONNECT_SECONDS):
            return
    except psycopg.ProgrammingError:
        # Its text would show the part that it does not understand, which may be the password.
        raise DatabaseMissing(f"{variable}: not a well-formed address") from None
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise DatabaseMissing(f"{variable}: cannot reach the database ({reason})") from error


def _give_up(reason: str, code: int) -> int:
    _log.critical(reason)
    sys.stderr.write(f"goodfit: {reason}\n")
    return code
