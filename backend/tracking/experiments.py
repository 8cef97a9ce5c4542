"""The platform's experiments in MLflow, one for each project."""

from http import HTTPStatus
from typing import Any, Final

from backend.tracking.permissions import refusal
from backend.tracking.rest import Connection

# An experiment of the platform's carries it; its name is the project's slug.
PROJECT_TAG: Final = "goodfit.project"
_SEARCH: Final = "/api/2.0/mlflow/experiments/search"
_PAGE: Final = 1_000


def list_experiments(connection: Connection) -> dict[str, str]:
    """Ids by name of all experiments of projects, also deleted ones."""
    found: dict[str, str] = {}
    content: dict[str, Any] = {
        "max_results": _PAGE,
        "filter": f"tags.`{PROJECT_TAG}` LIKE '%'",
        "view_type": "ALL",
    }
    while True:
        status, body = connection.post(_SEARCH, content)
        if status != HTTPStatus.OK:
            raise refusal(_SEARCH, status, body)
        found |= {row["name"]: row["experiment_id"] for row in body.get("experiments", [])}
        if not body.get("next_page_token"):
            return found
        content["page_token"] = body["next_page_token"]
