"""The allow list: which of MLflow's routes are open, and to whom.

MLflow's permissions decide on experiments, runs and models; this list closes whole families that
the platform does not offer or changes by itself: user management, experiments, registered models,
webhooks, jobs, the gateway, the assistant, and every write of traces (whose tags name places on the
server's disk).
"""

import re
from enum import Enum
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_PATTERNS: Final = {"id": "[^/]+", "path": ".+"}

OPEN: Final = """
GET /health
GET /version
"""

# The pages ask how their own telemetry is set (off) and which gateway there is (none).
READING: Final = """
GET /
GET /static-files/{path}
GET /get-artifact
GET /model-versions/get-artifact
POST /graphql
GET /api/3.0/mlflow/server-info
GET /api/3.0/mlflow/ui-telemetry
GET /api/2.0/mlflow/gateway-proxy
GET /api/2.0/mlflow/users/current
GET /api/3.0/mlflow/users/current/permissions
GET /api/2.0/mlflow/experiments/get
GET /api/2.0/mlflow/experiments/get-by-name
GET /api/2.0/mlflow/experiments/search
POST /api/2.0/mlflow/experiments/search
POST /api/2.0/mlflow/experiments/search-datasets
GET /api/2.0/mlflow/runs/get
POST /api/2.0/mlflow/runs/search
GET /api/2.0/mlflow/metrics/get-history
GET /api/2.0/mlflow/metrics/get-history-bulk
GET /api/2.0/mlflow/metrics/get-history-bulk-interval
GET /api/2.0/mlflow/artifacts/list
GET /api/2.0/mlflow-artifacts/artifacts
GET /api/2.0/mlflow-artifacts/artifacts/{path}
GET /api/2.0/mlflow/logged-models/{id}
GET /api/2.0/mlflow/logged-models/{id}/artifacts/directories
GET /api/2.0/mlflow/logged-models/{id}/artifacts/files
POST /api/2.0/mlflow/logged-models/search
GET /api/2.0/mlflow/registered-models/get
GET /api/2.0/mlflow/registered-models/search
GET /api/2.0/mlflow/registered-models/alias
GET /api/2.0/mlflow/registered-models/get-latest-versions
POST /api/2.0/mlflow/registered-models/get-latest-versions
GET /api/2.0/mlflow/model-versions/get
GET /api/2.0/mlflow/model-versions/get-download-uri
GET /api/2.0/mlflow/model-versions/search
POST /api/3.0/mlflow/datasets/search
GET /api/2.0/mlflow/traces
POST /api/3.0/mlflow/traces/search
POST /api/3.0/mlflow/traces/metrics
"""

# Runs of one's own, from a notebook, in an experiment that one may edit.
LOGGING: Final = """
POST /api/2.0/mlflow/experiments/set-experiment-tag
POST /api/2.0/mlflow/experiments/delete-experiment-tag
POST /api/2.0/mlflow/runs/create
POST /api/2.0/mlflow/runs/update
POST /api/2.0/mlflow/runs/delete
POST /api/2.0/mlflow/runs/restore
POST /api/2.0/mlflow/runs/set-tag
POST /api/2.0/mlflow/runs/delete-tag
POST /api/2.0/mlflow/runs/log-batch
POST /api/2.0/mlflow/runs/log-metric
POST /api/2.0/mlflow/runs/log-parameter
POST /api/2.0/mlflow/runs/log-inputs
POST /api/2.0/mlflow/runs/log-model
POST /api/2.0/mlflow/runs/outputs
POST /api/2.0/mlflow/logged-models
PATCH /api/2.0/mlflow/logged-models/{id}
DELETE /api/2.0/mlflow/logged-models/{id}
POST /api/2.0/mlflow/logged-models/{id}/params
PATCH /api/2.0/mlflow/logged-models/{id}/tags
DELETE /api/2.0/mlflow/logged-models/{id}/tags/{id}
PUT /api/2.0/mlflow-artifacts/artifacts/{path}
"""

# Done by the platform in its users' name: names are global, and its database is the truth.
PLATFORM: Final = """
POST /api/2.0/mlflow/experiments/create
POST /api/2.0/mlflow/experiments/update
POST /api/2.0/mlflow/experiments/delete
POST /api/2.0/mlflow/experiments/restore
DELETE /api/2.0/mlflow-artifacts/artifacts/{path}
POST /api/2.0/mlflow/registered-models/create
POST /api/2.0/mlflow/registered-models/rename
PATCH /api/2.0/mlflow/registered-models/update
DELETE /api/2.0/mlflow/registered-models/delete
POST /api/2.0/mlflow/registered-models/set-tag
DELETE /api/2.0/mlflow/registered-models/delete-tag
POST /api/2.0/mlflow/registered-models/alias
DELETE /api/2.0/mlflow/registered-models/alias
POST /api/2.0/mlflow/model-versions/create
PATCH /api/2.0/mlflow/model-versions/update
DELETE /api/2.0/mlflow/model-versions/delete
POST /api/2.0/mlflow/model-versions/set-tag
DELETE /api/2.0/mlflow/model-versions/delete-tag
GET /api/2.0/mlflow/users/get
GET /api/2.0/mlflow/users/list
POST /api/2.0/mlflow/users/create
PATCH /api/2.0/mlflow/users/update-admin
DELETE /api/2.0/mlflow/users/delete
GET /api/3.0/mlflow/users/permissions/get
GET /api/3.0/mlflow/users/permissions/list
POST /api/3.0/mlflow/users/permissions/grant
POST /api/3.0/mlflow/users/permissions/revoke
"""


class Access(Enum):
    """Who may call a route."""

    EVERYBODY = "everybody"
    PEOPLE = "people"
    PLATFORM = "platform"
    NOBODY = "nobody"


def _compile(routes: str) -> dict[str, re.Pattern[str]]:
    by_method: dict[str, list[str]] = {}
    for line in routes.split("\n"):
        method, _, path = line.partition(" ")
        if path:
            by_method.setdefault(method, []).append(_pattern(path))
    return {method: re.compile("|".join(paths)) for method, paths in by_method.items()}


def _pattern(path: str) -> str:
    # The browser's pages call the same routes below /ajax-api.
    literal = re.sub(r"^/api/", "/(?:ajax-)?api/", path.replace(".", r"\."))
    return _PLACEHOLDER.sub(lambda match: _PATTERNS[match[1]], literal)


_OPEN: Final = _compile(OPEN)
_PEOPLE: Final = _compile(READING + LOGGING)
_WRITES: Final = _compile(LOGGING)
_PLATFORM: Final = _compile(PLATFORM)
_ARTIFACTS: Final = re.compile(
    r"/get-artifact|/model-versions/get-artifact|/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts/.+"
    r"|/(?:ajax-)?api/2\.0/mlflow/logged-models/[^/]+/artifacts/files"
)
# What some later decoder or file system could read as another path.
_DISGUISED: Final = re.compile(r"\\|//|%2[ef]|%5c|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)", re.I)


def _matches(routes: dict[str, re.Pattern[str]], method: str, path: str) -> bool:
    pattern = routes.get(method)
    return pattern is not None and pattern.fullmatch(path) is not None


def access_to(method: str, path: str) -> Access:
    """Who may call this; nobody, unless the route is listed."""
    if _DISGUISED.search(path):
        return Access.NOBODY
    for routes, access in (
        (_OPEN, Access.EVERYBODY),
        (_PEOPLE, Access.PEOPLE),
        (_PLATFORM, Access.PLATFORM),
    ):
        if _matches(routes, method, path):
            return access
    return Access.NOBODY


def is_write(method: str, path: str) -> bool:
    """Whether a listed route of people changes something."""
    return _matches(_WRITES, method, path)


def is_json_write(method: str, path: str) -> bool:
    """Whether a listed route of people takes a JSON body that changes something."""
    return method != "PUT" and is_write(method, path)


def is_graphql(path: str) -> bool:
    """Whether a listed route takes a query in GraphQL."""
    return path == "/graphql"


def is_artifact(path: str) -> bool:
    """Whether the answer is a file that some user made."""
    return _ARTIFACTS.fullmatch(path) is not None
