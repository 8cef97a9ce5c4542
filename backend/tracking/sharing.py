"""Gives MLflow the members of a project; light, so that the worker does it without a child."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from backend.tracking.permissions import (
    Resource,
    find_holders,
    give,
    lacking,
    refusal,
    take_from_others,
)
from backend.tracking.rest import Connection

_EXPERIMENT: Final = "/api/2.0/mlflow/experiments/get-by-name"
_MODEL: Final = "/api/2.0/mlflow/registered-models/get"


def share_project(
    connection: Connection, experiment: str, models: Sequence[str], readers: Sequence[str]
) -> None:
    """Let these people, and nobody else, read a project's experiment and registered models.

    What is not in MLflow yet is left out: it is shared by the record that makes it.

    Raises
    ------
    TrackerUnavailable
        No answer; try again later.
    TrackerError
        Refused.
    """
    holders = find_holders(connection)
    resources = [Resource.model(name) for name in models]
    found = _find(connection, _EXPERIMENT, experiment_name=experiment)
    if found is not None:
        # Together with the models: who reads only one of them cannot load a model.
        resources.insert(0, Resource.experiment(found["experiment"]["experiment_id"]))
    for resource in resources:
        take_from_others(connection, holders, resource, readers)
    for resource in resources:
        if lacking(holders, resource, readers) and _exists(connection, resource):
            give(connection, holders, resource, readers)


def _exists(connection: Connection, resource: Resource) -> bool:
    is_model = resource.kind == "registered_model"
    return not is_model or _find(connection, _MODEL, name=resource.id) is not None


def _find(connection: Connection, path: str, **query: str) -> Mapping[str, Any] | None:
    status, body = connection.get(path, **query)
    if status == HTTPStatus.OK:
        return body
    if status == HTTPStatus.NOT_FOUND:
        return None
    raise refusal(path, status, body)
