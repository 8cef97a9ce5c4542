"""Who may read an experiment or a model in MLflow: the members of its project, nobody else."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, Self

from backend.tracking.connection import SERVICE_USERNAME, Connection
from backend.tracking.port import TrackerError, TrackerUnavailable

_GRANT: Final = "/api/3.0/mlflow/users/permissions/grant"
_REVOKE: Final = "/api/3.0/mlflow/users/permissions/revoke"
_CREATE_USER: Final = "/api/2.0/mlflow/users/create"
_LIST_USERS: Final = "/api/2.0/mlflow/users/list"
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_UNKNOWN: Final = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a permission is about."""

    kind: Literal["experiment", "registered_model"]
    id: str

    @classmethod
    def experiment(cls, experiment_id: str) -> Self:
        return cls("experiment", experiment_id)

    @classmethod
    def model(cls, name: str) -> Self:
        return cls("registered_model", name)

    @property
    def content(self) -> dict[str, str]:
        """How the permission routes name it."""
        return {"resource_type": self.kind, "resource_id": self.id}


def let_read(connection: Connection, resource: Resource, readers: Sequence[str]) -> None:
    """Let these people read it, and take it from all others.

    A reader who has a permission on it already, also a higher one, keeps that one.
    """
    holders = _holders(connection, resource)
    for username in sorted(holders - {*readers, SERVICE_USERNAME}):
        # Taken away already is as good as taken away.
        _post(connection, _REVOKE, {"username": username, **resource.content})
    for username in readers:
        if username not in holders:
            _grant(connection, username, resource)


def _holders(connection: Connection, resource: Resource) -> set[str]:
    """Who has a permission of their own on it; MLflow has no question for that."""
    status, body = connection.get(_LIST_USERS)
    if status != HTTPStatus.OK:
        raise _refusal(_LIST_USERS, status, body)
    return {
        user["username"]
        for user in body["users"]
        for role in user["roles"]
        for permission in role["permissions"]
        if (permission["resource_type"], permission["resource_pattern"])
        == (resource.kind, resource.id)
    }


def _grant(connection: Connection, username: str, resource: Resource) -> None:
    grant = {"username": username, **resource.content, "permission": "READ"}
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
    raise _refusal(path, status, body)


def _refusal(path: str, status: int, body: dict[str, Any]) -> TrackerError:
    message = f"{path} answered {status}: {body.get('message', '')}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TrackerUnavailable(message)
    return TrackerError(message)
