"""Who may read an experiment in MLflow: the members of its project."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import httpx

API: Final = "/api/2.0/mlflow"
EXISTS: Final = "RESOURCE_ALREADY_EXISTS"


def grant_readers(
    url: str, service: tuple[str, str], experiment_id: str, readers: Sequence[str]
) -> None:
    """Let these people read an experiment; those who may already stay as they are."""
    with httpx.Client(base_url=f"{url}{API}", auth=service, timeout=10) as client:
        for username in readers:
            # Made here, a user has no password that anybody knows; people come in by token.
            _create(client, "/users/create", username=username, password=secrets.token_urlsafe(32))
            _create(
                client,
                "/experiments/permissions/create",
                experiment_id=experiment_id,
                username=username,
                permission="READ",
            )


def _create(client: httpx.Client, path: str, **content: Any) -> None:
    answer = client.post(path, json=content)
    if answer.status_code == 400 and answer.json().get("error_code") == EXISTS:
        return
    answer.raise_for_status()
