"""Who may read experiments and models in MLflow: the members of their project, nobody else."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self

from backend.tracking.port import TrackerError, TrackerUnavailable
from backend.tracking.rest import SERVICE_USERNAME, Connection

_GRANT: Final = "/api/3.0/mlflow/users/permissions/grant"
_REVOKE: Final = "/api/3.0/mlflow/users/permissions/revoke"
_CREATE_USER: Final = "/api/2.0/mlflow/users/create"
_LIST_USERS: Final = "/api/2.0/mlflow/users/list"
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_UNKNOWN: Final = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a permission is about."""

    kind: str
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


Holders = Mapping[Resource, set[str]]


def let_read(connection: Connection, resources: Sequence[Resource], readers: Sequence[str]) -> None:
    """Let these people read them, and take them from all others.

    A reader who has a permission on one already, also a higher one, keeps that one.
    """
    holders = find_holders(connection)
    for resource in resources:
        take_from_others(connection, holders, resource, readers)
        give(connection, holders, resource, readers)


def take_from_others(
    connection: Connection, holders: Holders, resource: Resource, readers: Sequence[str]
) -> None:
    """Take the resource from everybody but these."""
    for username in sorted(holders.get(resource, set()) - {*readers, SERVICE_USERNAME}):
        # Taken away already is as good as taken away.
        _post(connection, _REVOKE, {"username": username, **resource.content})


def give(
    connection: Connection, holders: Holders, resource: Resource, readers: Sequence[str]
) -> None:
    """Let these people read what is in MLflow."""
    for username in lacking(holders, resource, readers):
        _grant(connection, username, resource)


def lacking(holders: Holders, resource: Resource, readers: Sequence[str]) -> list[str]:
    """Who cannot read it yet."""
    present = holders.get(resource, set())
    return [username for username in readers if username not in present]


def find_holders(connection: Connection) -> Holders:
    """Who has a permission on what; MLflow has no question about one resource."""
    status, body = connection.get(_LIST_USERS)
    if status != HTTPStatus.OK:
        raise refusal(_LIST_USERS, status, body)
    holders: dict[Resource, set[str]] = {}
    for user in body["users"]:
        for role in user["roles"]:
            for held in role["permissions"]:
                resource = Resource(held["resource_type"], held["resource_pattern"])
                holders.setdefault(resource, set()).add(user["username"])
    return holders


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
    raise refusal(path, status, body)


def refusal(path: str, status: int, body: dict[str, Any]) -> TrackerError:
    """What an answer means that is neither yes nor known."""
    message = f"{path} answered {status}: {body.get('message', '')}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TrackerUnavailable(message)
    return TrackerError(message)
