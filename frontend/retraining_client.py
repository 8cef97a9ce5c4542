"""Calls of the API about retraining: runs, decisions, policies."""

from collections.abc import Mapping
from typing import IO, Any

from backend.core.schemas import Page
from backend.retraining.schemas import (
    PolicyOut,
    RetrainingOut,
    RetrainRequest,
)
from frontend.client import UPLOAD_TIMEOUT, Api, NotThere


class RetrainingApi(Api):
    """Retraining on behalf of one signed-in user."""

    def retrain(self, model_id: int, wanted: RetrainRequest) -> RetrainingOut:
        body = wanted.model_dump(mode="json", exclude_none=True)
        return self._post(RetrainingOut, f"/models/{model_id}/retrain", json=body)

    def retrain_with_file(
        self, model_id: int, wanted: RetrainRequest, name: str, content: IO[bytes]
    ) -> RetrainingOut:
        """The file becomes the next version of the champion's dataset first."""
        fields = wanted.model_dump(mode="json", exclude_none=True)
        return self._post(
            RetrainingOut,
            f"/models/{model_id}/retrain",
            data={field: str(value) for field, value in fields.items()},
            files={"file": (name, content, "text/csv")},
            timeout=UPLOAD_TIMEOUT,
        )

    def retrainings(
        self, *, model_id: int | None = None, state: str | None = None, limit: int = 100
    ) -> list[RetrainingOut]:
        wanted = {"model_id": model_id, "state": state, "limit": limit}
        parameters = {name: value for name, value in wanted.items() if value is not None}
        return self._get(Page[RetrainingOut], "/retrainings", **parameters).items

    def retraining(self, number: int) -> RetrainingOut:
        return self._get(RetrainingOut, f"/retrainings/{number}")

    def cancel_retraining(self, number: int) -> RetrainingOut:
        return self._post(RetrainingOut, f"/retrainings/{number}/cancel")

    def decide_retraining(self, number: int, *, approve: bool, reason: str) -> RetrainingOut:
        verb = "approve" if approve else "reject"
        return self._post(RetrainingOut, f"/retrainings/{number}/{verb}", json={"reason": reason})

    def policy(self, model_id: int) -> PolicyOut | None:
        """When the model is retrained by itself; None where nobody said so."""
        try:
            return self._get(PolicyOut, f"/models/{model_id}/retraining")
        except NotThere:
            return None

    def set_policy(self, model_id: int, wanted: Mapping[str, Any]) -> PolicyOut:
        """The server checks, and names every field that it does not take."""
        path = f"/models/{model_id}/retraining"
        return PolicyOut.model_validate_json(self._send("PUT", path, json=wanted).content)

    def remove_policy(self, model_id: int) -> None:
        self._send("DELETE", f"/models/{model_id}/retraining")
