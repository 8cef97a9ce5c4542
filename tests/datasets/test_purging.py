"""Purging beside everything else: what runs, what waits, and what was fitted long ago."""

from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from backend.core.access import Role
from backend.core.db import transaction
from backend.datasets.files import hold_files
from backend.datasets.purging import sweep_purged
from backend.fits import attempts
from backend.tables import Dataset
from tests.conftest import SignIn, upload_csv
from tests.fits.finishing import finish_fit
from tests.projects.sharing import refused
from tests.registry.registering import PENGUINS_KNN, V1, make_model


async def _queued(client: httpx.AsyncClient) -> tuple[int, int]:
    """A dataset and a fit of it that waits."""
    dataset_id = (await upload_csv(client)).json()["id"]
    body = {"dataset_id": dataset_id, **PENGUINS_KNN}
    answer = await client.post(f"{V1}/fits", json=body)
    assert answer.status_code == 202, answer.text
    return dataset_id, answer.json()["id"]


async def test_files_wait_for_whoever_stores_some(
    sign_in: SignIn, app: FastAPI, engine: AsyncEngine
) -> None:
    ada = await sign_in("ada")
    blobs = app.state.blobs
    before = set(blobs.sizes())
    path = (await upload_csv(ada, b"x,y\n71,2\n3,4\n")).headers["location"]
    own = set(blobs.sizes()) - before
    assert (await ada.delete(path)).status_code == 204
    async with AsyncSession(engine) as storing:
        await hold_files(storing)
        purged = await ada.post(f"{path}/purge")
        assert purged.json() == {"freed_bytes": sum(size for _, size in own)}
        await sweep_purged(app.state.sessions, blobs)
        assert own <= set(blobs.sizes())
    for _ in range(2):
        await sweep_purged(app.state.sessions, blobs)
        assert set(blobs.sizes()) == before


async def test_waiting_fit_keeps_its_data_and_ends_well(sign_in: SignIn, app: FastAPI) -> None:
    ada = await sign_in("ada")
    dataset_id, fit_id = await _queued(ada)
    path = f"{V1}/datasets/{dataset_id}"
    assert (await ada.delete(path)).status_code == 204
    (use,) = (await ada.get(f"{path}/used-by")).json()["items"]
    assert (use["id"], use["state"]) == (fit_id, "queued")
    assert refused(await ada.post(f"{path}/purge")) == (409, "dataset_in_use")
    await finish_fit(app, fit_id)
    fit = (await ada.get(f"{V1}/fits/{fit_id}")).json()
    assert (fit["state"], fit["dataset_id"]) == ("succeeded", dataset_id)
    assert (await ada.post(f"{path}/purge")).status_code == 200
    assert (await ada.get(f"{V1}/fits/{fit_id}")).json()["dataset_id"] == dataset_id
    rows = {"rows": [{"bill_length_mm": 40, "flipper_length_mm": 190}]}
    assert (await ada.post(f"{V1}/fits/{fit_id}/predict", json=rows)).status_code == 200
    assert (await ada.post(f"{V1}/fits/{fit_id}/rerun")).status_code == 404


async def test_fit_of_data_that_was_purged_meanwhile_fails_with_the_reason(
    sign_in: SignIn, app: FastAPI
) -> None:
    ada = await sign_in("ada")
    dataset_id, fit_id = await _queued(ada)
    gone = {"trashed_at": func.now(), "purged_at": func.now()}
    async with transaction(app.state.sessions) as session:
        await session.execute(update(Dataset).where(Dataset.id == dataset_id).values(gone))
    async with transaction(app.state.sessions) as session:
        assert await attempts.claim(session, fit_id, max_attempts=3) is None
    fit = (await ada.get(f"{V1}/fits/{fit_id}")).json()
    assert fit["state"] == "failed"
    assert fit["error"]["message"] == "The dataset was deleted, and its files with it."


async def test_model_of_purged_data_answers_and_is_not_retrained(
    sign_in: SignIn, app: FastAPI
) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app, promote=False)
    dataset_id = (await ada.get(f"{V1}/fits/{model['fit_id']}")).json()["dataset_id"]
    path, other = f"{V1}/datasets/{dataset_id}", (await upload_csv(ada)).json()["id"]
    assert (await ada.delete(path)).status_code == 204
    assert (await ada.post(f"{path}/purge")).status_code == 200
    url = f"{V1}/models/{model['id']}"
    pointed: dict[str, Any] = {"version": 1, "reason": "it is good"}
    assert (await ada.put(f"{url}/aliases/champion", json=pointed)).status_code == 200
    rows = {"rows": [{"bill_length_mm": 40, "flipper_length_mm": 190}]}
    assert (await ada.post(f"{url}/predict", json=rows)).status_code == 200
    assert (await ada.get(f"{url}/versions/1")).status_code == 200
    for wanted in ({}, {"dataset_id": other}):
        answer = await root.post(f"{url}/retrain", json=wanted)
        assert refused(answer) == (409, "dataset_purged")
    policy = {"dataset_id": other, "schedule": "0 6 * * 1"}
    answer = await root.put(f"{url}/retraining", json=policy)
    assert refused(answer) == (409, "dataset_purged")


async def test_purged_rows_stay_as_lineage(sign_in: SignIn, app: FastAPI) -> None:
    ada = await sign_in("ada")
    made = (await upload_csv(ada, b"x,y\n81,2\n3,4\n")).json()
    path = f"{V1}/datasets/{made['id']}"
    assert (await ada.delete(path)).status_code == 204
    assert (await ada.post(f"{path}/purge")).status_code == 200
    async with transaction(app.state.sessions) as session:
        statement = select(Dataset.name, Dataset.purged_at).where(Dataset.id == made["id"])
        name, purged_at = (await session.execute(statement)).one()
    assert (name, purged_at is None) == (made["name"], False)
