"""Gives MLflow the members of a project; light, so that the worker does it without a child."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from backend.tracking.experiments import list_experiments
from backend.tracking.permissions import (
    Resource,
    find_holders,
    give,
    lacking,
    refusal,
    take_from_others,
)
from backend.tracking.rest import SERVICE_USERNAME, Connection

_EXPERIMENT: Final = "/api/2.0/mlflow/experiments/get-by-name"
_MODEL: Final = "/api/2.0/mlflow/registered-models/get"
_MODELS: Final = "/api/2.0/mlflow/registered-models/search"
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class SharedProject:
    """A project's experiment and models by their names in MLflow, and who reads them."""

    experiment: str
    models: tuple[str, ...]
    readers: frozenset[str]


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


def list_out_of_step(connection: Connection, projects: Iterable[SharedProject]) -> list[str]:
    """Experiments of the projects that others than their readers read, or not all of them.

    A few questions, however many projects; raises like `share_project`.
    """
    experiments = list_experiments(connection)
    models = _list_models(connection)
    holders = find_holders(connection)
    found = []
    for project in projects:
        resources = [Resource.model(name) for name in project.models if name in models]
        if project.experiment in experiments:
            resources.append(Resource.experiment(experiments[project.experiment]))
        if any(
            holders.get(resource, set()) - {SERVICE_USERNAME} != project.readers
            for resource in resources
        ):
            found.append(project.experiment)
    return found


def _list_models(connection: Connection) -> set[str]:
    found: set[str] = set()
    query = {"max_results": str(_PAGE)}
    while True:
        status, body = connection.get(_MODELS, **query)
        if status != HTTPStatus.OK:
            raise refusal(_MODELS, status, body)
        found.update(row["name"] for row in body.get("registered_models", []))
        if not body.get("next_page_token"):
            return found
        query["page_token"] = body["next_page_token"]


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
