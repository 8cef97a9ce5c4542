"""What may pass to MLflow: an allow list, because MLflow grows routes faster than we read them."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

Verdict = Literal["pass", "absent", "forbidden"]
READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS: Final = frozenset({"/health", "/version"})
_API: Final = r"^/(?:ajax-)?api/(?:2\.0|3\.0)"


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# Pages, files and everything that only reads; MLflow's own permissions decide on each object.
_READ: Final = _any_of(
    (
        r"^/$",
        r"^/(?:static-files/.*|favicon\.ico|manifest\.json|get-artifact|server-info)$",
        r"^/model-versions/get-artifact$",
        rf"{_API}/mlflow/(?:experiments|runs|metrics|artifacts|logged-models|datasets)(?:/|$)",
        rf"{_API}/mlflow/(?:registered-models|model-versions|prompts|traces|scorers)(?:/|$)",
        rf"{_API}/mlflow/(?:get-trace-artifact|upload-artifact|server-info|ui-telemetry)$",
        rf"{_API}/mlflow/users/(?:current|get-current)$",
        rf"{_API}/mlflow/server-features$",
        rf"{_API}/mlflow-artifacts/(?:artifacts|mpu)(?:/|$)",
    )
)
# Reads that MLflow spells as POST.
_POST_READ: Final = _any_of(
    (
        r"^/(?:ajax-)?graphql$|^/graphql$",
        rf"{_API}/mlflow/(?:experiments|runs|logged-models|traces)/search(?:-datasets)?$",
        rf"{_API}/mlflow/experiments/search-datasets$",
        rf"{_API}/mlflow/traces/(?:batchGetInfos|metrics|query|calculate-filter-correlation)$",
        rf"{_API}/mlflow/registered-models/get-latest-versions$",
        rf"{_API}/mlflow/metrics/get-history-bulk.*$",
    )
)
# What people may write: their own runs in experiments that they may edit.
_WRITE: Final = _any_of(
    (
        rf"{_API}/mlflow/experiments/(?:create|update|delete|restore|set-experiment-tag)$",
        rf"{_API}/mlflow/experiments/delete-experiment-tag$",
        rf"{_API}/mlflow/runs/(?!search)[a-z-]+$",
        rf"{_API}/mlflow/logged-models(?:/|$)",
        rf"{_API}/mlflow-artifacts/(?:artifacts|mpu)(?:/|$)",
        rf"{_API}/mlflow/upload-artifact$",
    )
)
_CREATE_EXPERIMENT: Final = re.compile(rf"{_API}/mlflow/experiments/create$")


def judge(method: str, path: str, *, is_service: bool) -> Verdict:
    """Whether a call may pass to MLflow, does not exist here, or is not for people."""
    if is_service:
        return "pass"
    if method in READ_METHODS:
        return "pass" if _READ.search(path) else "absent"
    if method == "POST" and _POST_READ.search(path):
        return "pass"
    if _WRITE.search(path):
        return "pass"
    return "forbidden" if _READ.search(path) else "absent"


def needs_body_check(method: str, path: str) -> bool:
    """Whether the body decides: a chosen artifact place could be another user's folder."""
    return method == "POST" and _CREATE_EXPERIMENT.search(path) is not None


def body_is_allowed(body: bytes) -> bool:
    """Experiments get their place from the platform."""
    try:
        content: Any = json.loads(body or b"{}")
    except ValueError:
        return False
    return isinstance(content, dict) and not content.get("artifact_location")


def local_path(path: str) -> str:
    """A path on this server to go on to; anything that could lead elsewhere becomes the start."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or "\\" in path:
        return "/"
    return path if path.isprintable() and path.isascii() else "/"
