"""Models for tests: real fits, really finished."""

from typing import Any

import httpx
from fastapi import FastAPI

from tests.conftest import upload_csv
from tests.fits.finishing import finish_fit

V1 = "/api/v1"
PENGUINS_KNN = {
    "target": "species",
    "features": ["bill_length_mm", "flipper_length_mm"],
    "estimator": "k_nearest_neighbors",
}


async def make_fit(
    client: httpx.AsyncClient, app: FastAPI, dataset_id: int | None = None, **request: Any
) -> int:
    if dataset_id is None:
        dataset_id = (await upload_csv(client)).json()["id"]
    body = {"dataset_id": dataset_id, **(request or PENGUINS_KNN)}
    answer = await client.post(f"{V1}/fits", json=body)
    assert answer.status_code == 202, answer.text
    fit_id: int = answer.json()["id"]
    await finish_fit(app, fit_id)
    return fit_id


async def make_model(
    client: httpx.AsyncClient, app: FastAPI, *, name: str = "penguins", promote: bool = True
) -> dict[str, Any]:
    fit_id = await make_fit(client, app)
    answer = await client.post(f"{V1}/models", json={"name": name, "fit_id": fit_id})
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    if promote:
        moved = await client.put(
            f"{V1}/models/{model['id']}/aliases/champion",
            json={"version": 1, "reason": "the first one"},
        )
        assert moved.status_code == 200, moved.text
    return {**model, "fit_id": fit_id}
