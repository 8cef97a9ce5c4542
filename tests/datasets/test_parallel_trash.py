"""Trash, purge, promotion and upload in the same moment, over connections of their own."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.db import transaction
from backend.datasets.purging import sweep_purged
from backend.datasets.service import writable_dataset
from backend.datasets.trash import trash_dataset
from backend.registry.schemas import AliasUpdate
from backend.registry.service import set_alias
from backend.tables import User
from tests.conftest import Person, upload_csv, viewer_of
from tests.projects.sharing import V1, refused
from tests.registry.registering import PENGUINS_KNN, make_fit

POINTED = {"version": 1, "reason": "it is good"}


async def _model(client: httpx.AsyncClient, app: FastAPI, name: str) -> tuple[str, int, int]:
    """The path of a dataset, its id, and a model that learnt from it."""
    dataset_id = (await upload_csv(client)).json()["id"]
    fit_id = await make_fit(client, app, dataset_id, **PENGUINS_KNN)
    made = await client.post(f"{V1}/models", json={"name": name, "fit_id": fit_id})
    assert made.status_code == 201, made.text
    return f"{V1}/datasets/{dataset_id}", dataset_id, made.json()["id"]


async def _viewer(session: AsyncSession) -> Viewer:
    found = await session.execute(select(User).where(User.username == "ada"))
    return viewer_of(found.scalar_one())


async def _waits(asking: "asyncio.Task[httpx.Response]") -> None:
    done, _ = await asyncio.wait({asking}, timeout=1)
    assert not done


async def test_trash_waits_for_a_promotion_and_is_refused(person: Person, real: FastAPI) -> None:
    ada = await person("ada")
    path, _, model_id = await _model(ada, real, "promoted first")
    async with transaction(real.state.sessions) as session:
        data = AliasUpdate.model_validate(POINTED)
        await set_alias(session, await _viewer(session), model_id, "champion", data)
        asking = asyncio.create_task(ada.delete(path))
        await _waits(asking)
    assert refused(await asking) == (409, "champion_depends")
    assert (await ada.get(path)).status_code == 200


async def test_promotion_waits_for_the_trash_and_is_refused(person: Person, real: FastAPI) -> None:
    ada = await person("ada")
    path, dataset_id, model_id = await _model(ada, real, "trashed first")
    alias = f"{V1}/models/{model_id}/aliases/champion"
    async with transaction(real.state.sessions) as session:
        viewer = await _viewer(session)
        dataset = await writable_dataset(session, viewer, dataset_id)
        await trash_dataset(session, viewer, dataset)
        asking = asyncio.create_task(ada.put(alias, json=POINTED))
        await _waits(asking)
    assert refused(await asking) == (409, "data_in_trash")
    assert (await ada.get(path)).status_code == 404
    assert (await ada.get(f"{V1}/models/{model_id}")).json()["champion"] is None


async def test_of_trash_and_promotion_at_once_one_happens(person: Person, real: FastAPI) -> None:
    ada = await person("ada")
    for number in range(5):
        path, _, model_id = await _model(ada, real, f"at once {number}")
        alias = f"{V1}/models/{model_id}/aliases/champion"
        gone, promoted = await asyncio.gather(ada.delete(path), ada.put(alias, json=POINTED))
        assert (gone.status_code, promoted.status_code) in {(204, 409), (409, 200)}


async def test_upload_of_what_is_being_purged_has_its_bytes(person: Person, real: FastAPI) -> None:
    ada = await person("ada")
    content = b"x,y\n901,2\n3,4\n5,6\n"
    path = (await upload_csv(ada, content)).headers["location"]
    for _ in range(8):
        assert (await ada.delete(path)).status_code == 204
        answers: list[Any] = await asyncio.gather(
            ada.post(f"{path}/purge"),
            *(upload_csv(ada, content) for _ in range(3)),
        )
        assert [answer.status_code for answer in answers] == [200, 201, 201, 201]
        await sweep_purged(real.state.sessions, real.state.blobs)
        made = [answer.headers["location"] for answer in answers[1:]]
        for location in made:
            for form in ("original", "parquet"):
                file = await ada.get(f"{location}/versions/1/download?format={form}")
                assert file.status_code == 200, file.text
        for location in made[:2]:
            assert (await ada.delete(location)).status_code == 204
            assert (await ada.post(f"{location}/purge")).status_code == 200
        path = made[2]
