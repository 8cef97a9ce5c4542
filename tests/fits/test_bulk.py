"""One action over several fits: all of them or none."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.tables import AuditEvent, Fit
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
Sessions = async_sessionmaker[AsyncSession]
TABLE = b"x,y\n1,2\n3,4\n5,6\n7,9\n"
ACTIONS = ("cancel", "archive", "unarchive", "trash", "restore", "tag", "star", "unstar")


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


@pytest.fixture
async def fit_ids(ada: httpx.AsyncClient, sessions: Sessions) -> list[int]:
    """One that waits, and two that are done."""
    dataset_id = (await upload_csv(ada, TABLE)).json()["id"]
    queued = await make_up_fit(sessions, dataset_id, state="queued")
    return [queued, *[await make_up_fit(sessions, dataset_id, seconds=1) for _ in range(2)]]


async def _bulk(client: httpx.AsyncClient, action: str, ids: list[int], **more: Any) -> Any:
    body = {"action": action, "ids": ids, **more}
    answer = await client.post(f"{V1}/fits/bulk", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _fit(client: httpx.AsyncClient, fit_id: int) -> Any:
    return (await client.get(f"{V1}/fits/{fit_id}")).json()


async def _deeds(sessions: Sessions, action: str) -> int:
    statement = select(func.count()).where(AuditEvent.action == action)
    async with sessions() as session:
        return (await session.execute(statement)).scalar_one()


async def test_each_action_changes_what_it_can(
    ada: httpx.AsyncClient, sessions: Sessions, fit_ids: list[int]
) -> None:
    queued, *done = fit_ids
    cancelled = await _bulk(ada, "cancel", fit_ids)
    assert cancelled == {"changed": [queued], "unchanged": done}
    assert (await _fit(ada, queued))["state"] == "cancelled"
    for action, opposite in (("archive", "unarchive"), ("star", "unstar")):
        assert (await _bulk(ada, action, done))["changed"] == done
        assert (await _bulk(ada, action, fit_ids))["unchanged"] == done
        assert (await _bulk(ada, opposite, fit_ids))["changed"] == fit_ids
    tagged = await _bulk(ada, "tag", [*done, done[0]], tags={"sea": "cold"})
    assert tagged == {"changed": done, "unchanged": []}
    assert (await _fit(ada, done[1]))["tags"] == {"sea": "cold"}
    assert (await _bulk(ada, "trash", done))["changed"] == done
    back = await _bulk(ada, "restore", fit_ids)
    assert back == {"changed": done, "unchanged": [queued]}
    assert (await _fit(ada, done[0]))["trashed_at"] is None
    for deed, times in {"archived": 3, "unarchived": 3, "trashed": 2, "restored": 2}.items():
        assert await _deeds(sessions, f"fit.{deed}") == times


@pytest.mark.parametrize("action", ACTIONS)
async def test_one_foreign_fit_refuses_them_all(
    ada: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, fit_ids: list[int], action: str
) -> None:
    bob = await sign_in("bob")
    foreign = await make_up_fit(sessions, (await upload_csv(bob, TABLE)).json()["id"], seconds=1)
    before = [await _fit(ada, fit_id) for fit_id in fit_ids]
    for stranger in (foreign, 999_999_999):
        tags = {"tags": {"a": "b"}} if action == "tag" else {}
        body = {"action": action, "ids": [*fit_ids, stranger], **tags}
        assert (await ada.post(f"{V1}/fits/bulk", json=body)).status_code == 404
    assert [await _fit(ada, fit_id) for fit_id in fit_ids] == before
    async with sessions() as session:
        states = select(Fit.state, Fit.trashed_at).where(Fit.id == foreign)
        assert (await session.execute(states)).one() == ("succeeded", None)


async def test_a_reader_marks_and_changes_nothing_else(
    ada: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    vera = await sign_in("vera")
    project = (await ada.post(f"{V1}/projects", json={"name": "sea"})).json()["id"]
    await ada.put(f"{V1}/projects/{project}/members/vera", json={"role": "viewer"})
    table = {"name": "t", "project_id": project, "columns": {"x": [1, 2], "y": [2, 3]}}
    dataset_id = (await ada.post(f"{V1}/datasets", json=table)).json()["id"]
    shared = await make_up_fit(sessions, dataset_id, seconds=1)
    assert (await _bulk(vera, "star", [shared]))["changed"] == [shared]
    for action in ("archive", "trash"):
        body = {"action": action, "ids": [shared]}
        assert (await vera.post(f"{V1}/fits/bulk", json=body)).status_code == 403


async def test_a_request_that_makes_no_sense_names_its_field(
    ada: httpx.AsyncClient, fit_ids: list[int]
) -> None:
    bad = {
        "action": {"action": "purge", "ids": fit_ids},
        "ids": {"action": "trash", "ids": []},
        "tags": {"action": "tag", "ids": fit_ids},
    }
    for field, body in bad.items():
        answer = await ada.post(f"{V1}/fits/bulk", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"][:2] == ["body", field]
    more = {"action": "archive", "ids": fit_ids, "tags": {"a": "b"}}
    assert (await ada.post(f"{V1}/fits/bulk", json=more)).status_code == 422
    many = {"action": "tag", "ids": fit_ids, "tags": {str(n): "" for n in range(50)}}
    assert (await ada.post(f"{V1}/fits/bulk", json=many)).status_code == 200
    full = {"action": "tag", "ids": fit_ids, "tags": {"one": "more"}}
    assert (await ada.post(f"{V1}/fits/bulk", json=full)).status_code == 422
