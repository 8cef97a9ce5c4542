"""Takes a fit's runs out of experiments that it does not belong to any more.

Light, so that the worker does it at once and without a child. Cut off at any point it can be
repeated, also by two at a time.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from backend.tracking.experiments import list_experiments
from backend.tracking.permissions import refusal
from backend.tracking.port import TrackerError
from backend.tracking.rest import Connection

FIT_TAG: Final = "goodfit.fit_id"
# Set first: such a run has lost files, and is never restored.
WITHDRAWN_TAG: Final = "goodfit.withdrawn"
_API: Final = "/api/2.0/mlflow"
_FILES: Final = "/api/2.0/mlflow-artifacts/artifacts"
_SCHEME: Final = "mlflow-artifacts:/"
_PAGE: Final = 1_000
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})


def withdraw_fit(connection: Connection, fit_id: int, *, experiment: str) -> int:
    """Delete what stands of the fit outside this experiment, or began to; answers how many runs.

    Raises
    ------
    TrackerUnavailable
        No answer; try again later.
    TrackerError
        Refused.
    """
    experiments = list_experiments(connection)
    own = experiments.get(experiment)
    surplus = [
        run
        for run in _runs(connection, fit_id, list(experiments.values()))
        if run["info"]["experiment_id"] != own or _is_withdrawn(run)
    ]
    standing = [run for run in surplus if _is_active(run) or not _is_withdrawn(run)]
    for run in standing:
        _withdraw(connection, run)
    return len(standing)


def _is_withdrawn(run: dict[str, Any]) -> bool:
    tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
    return tags.get(WITHDRAWN_TAG) == "true"


def _is_active(run: dict[str, Any]) -> bool:
    return bool(run["info"]["lifecycle_stage"] == "active")


def _runs(connection: Connection, fit_id: int, experiments: Sequence[str]) -> list[dict[str, Any]]:
    """All runs of the fit, also deleted ones: their files are still there."""
    if not experiments:
        return []
    content = {
        "experiment_ids": experiments,
        "filter": f"tags.`{FIT_TAG}` = '{fit_id}'",
        "run_view_type": "ALL",
        "max_results": _PAGE,
    }
    return list(_post(connection, f"{_API}/runs/search", content).get("runs", []))


def _withdraw(connection: Connection, run: dict[str, Any]) -> None:
    run_id = run["info"]["run_id"]
    if not _is_withdrawn(run):
        if not _is_active(run):
            # What is deleted takes no tag.
            _post(connection, f"{_API}/runs/restore", {"run_id": run_id})
        tag = {"run_id": run_id, "key": WITHDRAWN_TAG, "value": "true"}
        _post(connection, f"{_API}/runs/set-tag", tag)
    wanted = {
        "experiment_ids": [run["info"]["experiment_id"]],
        "filter": f"source_run_id = '{run_id}'",
    }
    for model in _post(connection, f"{_API}/logged-models/search", wanted).get("models", []):
        _delete_files(connection, model["info"]["artifact_uri"])
        _delete(connection, f"{_API}/logged-models/{model['info']['model_id']}")
    _post(connection, f"{_API}/runs/delete", {"run_id": run_id})


def _delete_files(connection: Connection, uri: str) -> None:
    if not uri.startswith(_SCHEME):
        raise TrackerError(f"files outside MLflow's own store: {uri}")
    _delete(connection, f"{_FILES}/{uri.removeprefix(_SCHEME).lstrip('/')}")


def _post(connection: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
    status, body = connection.post(path, content)
    if status != HTTPStatus.OK:
        raise refusal(path, status, body)
    return body


def _delete(connection: Connection, path: str) -> None:
    status, body = connection.delete(path)
    if status not in _DONE:
        raise refusal(path, status, body)
