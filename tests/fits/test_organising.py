"""Names, notes, tags, stars, archive and trash of fits."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.tables import AuditEvent
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
Sessions = async_sessionmaker[AsyncSession]
TABLE = b"x,y\n1,2\n3,4\n5,6\n7,9\n"


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


@pytest.fixture
async def dataset(ada: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await upload_csv(ada, TABLE)).json()
    return made


@pytest.fixture
async def fit_id(sessions: Sessions, dataset: dict[str, Any]) -> int:
    return await make_up_fit(sessions, dataset["id"], seconds=1)


async def _listed(client: httpx.AsyncClient, **params: Any) -> list[int]:
    answer = await client.get(f"{V1}/fits", params=params)
    return [item["id"] for item in answer.raise_for_status().json()["items"]]


async def _deeds(sessions: Sessions, fit_id: int) -> list[str]:
    statement = (
        select(AuditEvent.action)
        .where(AuditEvent.object_id == fit_id, AuditEvent.action.startswith("fit."))
        .order_by(AuditEvent.id)
    )
    async with sessions() as session:
        return list((await session.execute(statement)).scalars())


async def test_notes_name_and_tags_change_and_are_noted(
    ada: httpx.AsyncClient, sessions: Sessions, fit_id: int
) -> None:
    path = f"{V1}/fits/{fit_id}"
    body = {"name": "best", "notes": "# Why\n<b>so</b>", "tags": {"sea": "cold"}}
    changed = await ada.patch(path, json=body)
    assert {k: changed.json()[k] for k in body} == body
    assert (await ada.patch(path, json={"notes": ""})).json()["notes"] == ""
    again = await ada.patch(path, json={"name": None})
    assert again.json()["name"] == "best"
    assert await _deeds(sessions, fit_id) == ["fit.updated", "fit.updated"]
    long = await ada.patch(path, json={"notes": "x" * 20_001})
    assert long.json()["errors"][0]["loc"] == ["body", "notes"]


async def test_an_older_state_is_not_changed_but_a_star_makes_none(
    ada: httpx.AsyncClient, fit_id: int
) -> None:
    path = f"{V1}/fits/{fit_id}"
    etag = (await ada.get(path)).headers["etag"]
    await ada.put(f"{path}/star")
    matching = {"If-Match": etag}
    changed = await ada.patch(path, json={"archived": True}, headers=matching)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert (await ada.patch(path, json={"name": "x"}, headers=matching)).status_code == 412
    assert (await ada.delete(path, headers=matching)).status_code == 412


async def test_an_archived_fit_is_hidden_and_stays_usable(
    ada: httpx.AsyncClient, sessions: Sessions, fit_id: int
) -> None:
    path = f"{V1}/fits/{fit_id}"
    for _ in range(2):
        assert (await ada.patch(path, json={"archived": True})).json()["archived_at"]
    assert await _listed(ada) == []
    assert await _listed(ada, archived=True) == [fit_id]
    assert (await ada.patch(path, json={"name": "still mine"})).status_code == 200
    assert (await ada.patch(path, json={"archived": False})).json()["archived_at"] is None
    assert await _listed(ada) == [fit_id]
    deeds = ["fit.archived", "fit.updated", "fit.unarchived"]
    assert await _deeds(sessions, fit_id) == deeds


async def test_a_star_is_the_readers_own(
    ada: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    vera = await sign_in("vera", Role.VIEWER)
    project = (await ada.post(f"{V1}/projects", json={"name": "sea"})).json()["id"]
    table = {"name": "t", "project_id": project, "columns": {"x": [1, 2], "y": [2, 3]}}
    dataset_id = (await ada.post(f"{V1}/datasets", json=table)).json()["id"]
    await ada.put(f"{V1}/projects/{project}/members/vera", json={"role": "viewer"})
    shared = await make_up_fit(sessions, dataset_id)
    path = f"{V1}/fits/{shared}"
    for _ in range(2):
        assert (await vera.put(f"{path}/star")).status_code == 204
    assert (await vera.get(path)).json()["starred"]
    assert not (await ada.get(path)).json()["starred"]
    assert await _listed(vera, starred=True) == [shared]
    assert await _listed(ada, starred=True) == []
    assert (await vera.patch(path, json={"archived": True})).status_code == 403
    for _ in range(2):
        assert (await vera.delete(f"{path}/star")).status_code == 204
    assert not (await vera.get(path)).json()["starred"]
    stranger = await sign_in("bob")
    assert (await stranger.put(f"{path}/star")).status_code == 404


async def test_a_fit_comes_back_from_the_trash(
    ada: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, fit_id: int
) -> None:
    path = f"{V1}/fits/{fit_id}"
    early = await ada.post(f"{path}/restore")
    assert (early.status_code, early.json()["code"]) == (409, "fit_not_in_trash")
    assert (await ada.delete(path)).status_code == 204
    assert (await ada.get(path)).status_code == 404
    assert await _listed(ada) == []
    assert await _listed(ada, trashed=True) == [fit_id]
    bob = await sign_in("bob")
    assert (await bob.post(f"{path}/restore")).status_code == 404
    assert await _listed(bob, trashed=True) == []
    restored = await ada.post(f"{path}/restore")
    assert restored.json()["trashed_at"] is None
    assert restored.headers["etag"] == (await ada.get(path)).headers["etag"]
    assert await _listed(ada) == [fit_id]
    assert await _deeds(sessions, fit_id) == ["fit.trashed", "fit.restored"]


async def test_a_waiting_fit_is_cancelled_by_the_trash(
    ada: httpx.AsyncClient, sessions: Sessions, dataset: dict[str, Any]
) -> None:
    queued = await make_up_fit(sessions, dataset["id"], state="queued")
    assert (await ada.delete(f"{V1}/fits/{queued}")).status_code == 204
    restored = (await ada.post(f"{V1}/fits/{queued}/restore")).json()
    assert restored["state"] == "cancelled"
    assert await _deeds(sessions, queued) == ["fit.cancelled", "fit.trashed", "fit.restored"]
