"""Calls of the API about models: registering, versions, aliases, predictions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import httpx

from backend.core.schemas import Page
from backend.registry.schemas import AliasChangeOut, AliasOut, ModelOut, ModelVersionOut
from backend.serving.schemas import PredictOut, SchemaOut
from frontend.client import UPLOAD_TIMEOUT, Api

# The first one loads the model, and for images PyTorch.
PREDICTION_TIMEOUT: Final = httpx.Timeout(60.0, connect=2.0)


@dataclass(frozen=True)
class ModelQuery:
    """Which models a list is about."""

    project_id: int | None = None
    name_contains: str = ""
    mine: bool = False
    sort: str = "-created_at"
    limit: int = 100

    def parameters(self) -> dict[str, str | int]:
        """As query parameters, without those that are not set."""
        wanted = {
            "project_id": self.project_id,
            "name_contains": self.name_contains or None,
            "mine": "true" if self.mine else None,
            "sort": self.sort,
            "limit": self.limit,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class ModelsApi(Api):
    """Models on behalf of one signed-in user."""

    # Registry

    def models(self, query: ModelQuery) -> list[ModelOut]:
        return self._get(Page[ModelOut], "/models", **query.parameters()).items

    def model(self, model_id: int) -> ModelOut:
        return self._get(ModelOut, f"/models/{model_id}")

    def change_model(self, model_id: int, changes: Mapping[str, str]) -> ModelOut:
        """Only what is named changes."""
        answer = self._send("PATCH", f"/models/{model_id}", json=dict(changes))
        return ModelOut.model_validate_json(answer.content)

    def delete_model(self, model_id: int) -> None:
        self._send("DELETE", f"/models/{model_id}")

    def register(self, name: str, fit_id: int, *, key: str) -> ModelOut:
        """A new model whose version 1 is the fit; `key` makes a repeated call the same one."""
        body = {"name": name, "fit_id": fit_id}
        return self._post(ModelOut, "/models", json=body, headers={"Idempotency-Key": key})

    def add_version(self, model_id: int, fit_id: int) -> ModelVersionOut:
        body = {"fit_id": fit_id}
        return self._post(ModelVersionOut, f"/models/{model_id}/versions", json=body)

    def model_versions(self, model_id: int) -> list[ModelVersionOut]:
        return self._get(Page[ModelVersionOut], f"/models/{model_id}/versions").items

    def model_version(self, model_id: int, version: int) -> ModelVersionOut:
        return self._get(ModelVersionOut, f"/models/{model_id}/versions/{version}")

    def point_alias(self, model_id: int, alias: str, version: int, reason: str) -> AliasOut:
        body = {"version": version, "reason": reason}
        path = f"/models/{model_id}/aliases/{alias}"
        return AliasOut.model_validate_json(self._send("PUT", path, json=body).content)

    def remove_alias(self, model_id: int, alias: str, reason: str) -> None:
        self._send("DELETE", f"/models/{model_id}/aliases/{alias}", params={"reason": reason})

    def roll_back(self, model_id: int, reason: str) -> AliasOut:
        """The champion goes back one step."""
        return self._post(AliasOut, f"/models/{model_id}/rollback", json={"reason": reason})

    def alias_changes(self, model_id: int, *, limit: int = 50) -> list[AliasChangeOut]:
        path = f"/models/{model_id}/aliases/history"
        return self._get(Page[AliasChangeOut], path, limit=limit).items

    # Predictions

    def model_schema(self, model_id: int, version: int) -> SchemaOut:
        return self._get(SchemaOut, f"/models/{model_id}/schema", version=version)

    def predict(self, model_id: int, version: int, row: Mapping[str, Any]) -> PredictOut:
        body = {"rows": [dict(row)], "version": version}
        path = f"/models/{model_id}/predict"
        return self._post(PredictOut, path, json=body, timeout=PREDICTION_TIMEOUT)

    def predict_image(
        self, model_id: int, version: int, name: str, content: IO[bytes]
    ) -> PredictOut:
        path = f"/models/{model_id}/predict/file"
        files = {"file": (name, content)}
        parameters = {"version": version}
        return self._post(
            PredictOut, path, files=files, params=parameters, timeout=PREDICTION_TIMEOUT
        )

    @contextmanager
    def predict_file(
        self, model_id: int, version: int, name: str, content: IO[bytes]
    ) -> Iterator[Iterator[bytes]]:
        """A CSV file with its predictions, piece by piece as the server makes them."""
        path = f"/models/{model_id}/predict/file"
        with self._stream(
            "POST",
            path,
            params={"version": version},
            files={"file": (name, content, "text/csv")},
            timeout=UPLOAD_TIMEOUT,
        ) as answer:
            yield answer.iter_bytes()
