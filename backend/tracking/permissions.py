"""Who may read an experiment in MLflow: the members of its project."""

import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from backend.tracking.connection import Connection
from backend.tracking.port import TrackerError, TrackerUnavailable

_GRANT: Final = "/api/3.0/mlflow/users/permissions/grant"
_CREATE_USER: Final = "/api/2.0/mlflow/users/create"
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_UNKNOWN: Final = "RESOURCE_DOES_NOT_EXIST"


def let_read(connection: Connection, experiment_id: str, readers: Sequence[str]) -> None:
    """Let these people read an experiment; whoever has a permission on it keeps that one."""
    for username in readers:
        grant = {
            "username": username,
            "resource_type": "experiment",
            "resource_id": experiment_id,
            "permission": "READ",
        }
        if _post(connection, _GRANT, grant) == _UNKNOWN:
            # Nobody learns this password: people come in by the platform's tokens.
            password = secrets.token_urlsafe(32)
            _post(connection, _CREATE_USER, {"username": username, "password": password})
            if _post(connection, _GRANT, grant) == _UNKNOWN:
                raise TrackerError(f"MLflow does not keep the user {username!r}")


def _post(connection: Connection, path: str, content: dict[str, Any]) -> str | None:
    """None when done, or also when it was done earlier; else that something is unknown."""
    status, body = connection.post(path, content)
    code = body.get("error_code")
    if status == HTTPStatus.OK or code == _EXISTS:
        return None
    if code == _UNKNOWN:
        return _UNKNOWN
    message = f"{path} answered {status}: {body.get('message', '')}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TrackerUnavailable(message)
    raise TrackerError(message)
