"""What is refused to somebody who is signed in is noted once a minute; nothing else is."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from backend.core import denials
from backend.core.access import Role
from backend.core.denials import MOST_CALLERS, MOST_PER_CALLER, SECONDS, RecentDenials
from tests.audit.events import REQUEST_ID, events, the_event
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import V1

ABSENT = 999_999_999


@pytest.fixture(autouse=True)
def _nothing_noted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "_recent", RecentDenials())


async def test_stranger_is_noted_alike_for_foreign_and_absent(sign_in: SignIn) -> None:
    ada, bob, admin = await sign_in("ada"), await sign_in("bob"), await sign_in("root", Role.ADMIN)
    foreign = (await upload_csv(ada)).json()["id"]
    for dataset_id in (foreign, ABSENT):
        answer = await bob.delete(f"{V1}/datasets/{dataset_id}", headers=REQUEST_ID)
        assert answer.status_code == 404
        noted = await the_event(admin, "access.denied", object_id=dataset_id)
        assert (noted["actor_name"], noted["outcome"]) == ("bob", "denied")
        assert (noted["object_type"], noted["object_name"]) == ("dataset", None)
        assert (noted["address"], noted["project_id"]) == ("127.0.0.1", None)
        assert noted["request_id"] == REQUEST_ID["X-Request-ID"]
        assert noted["details"] == {
            "method": "DELETE",
            "route": f"{V1}/datasets/{{dataset_id}}",
            "status": 404,
            "code": "not_found",
        }


async def test_member_is_noted_for_what_administrators_do(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    assert (await ada.get(f"{V1}/operations/audit")).status_code == 403
    noted = await the_event(admin, "access.denied")
    assert noted["details"]["status"] == 403
    assert noted["details"]["route"] == f"{V1}/operations/audit"
    assert noted["object_type"] is None


async def test_token_that_may_too_little_is_noted(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    token = (await ada.post(f"{V1}/tokens", json={"name": "t", "scope": "read"})).json()
    anonymous.headers["Authorization"] = f"Bearer {token['token']}"
    assert (await upload_csv(anonymous)).status_code == 403
    noted = await the_event(admin, "access.denied")
    assert (noted["token_id"], noted["details"]["code"]) == (token["id"], "scope_too_low")


async def test_foreign_id_within_a_body_is_noted(sign_in: SignIn) -> None:
    ada, bob, admin = await sign_in("ada"), await sign_in("bob"), await sign_in("root", Role.ADMIN)
    foreign = (await upload_csv(ada)).json()["id"]
    fit = {"dataset_id": foreign, "target": "species", "estimator": "ridge"}
    assert (await bob.post(f"{V1}/fits", json=fit)).status_code == 404
    assert (await the_event(admin, "access.denied"))["details"]["route"] == f"{V1}/fits"


async def test_same_denial_counts_once_and_another_one_again(sign_in: SignIn) -> None:
    bob, admin = await sign_in("bob"), await sign_in("root", Role.ADMIN)
    for _ in range(5):
        await bob.get(f"{V1}/fits/{ABSENT}")
    await the_event(admin, "access.denied")
    await bob.patch(f"{V1}/fits/{ABSENT}", json={"name": "x"})
    assert len(await events(admin, action="access.denied")) == 2


async def test_what_is_no_denial_is_not_noted(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset_id = (await upload_csv(ada)).json()["id"]
    answers = [
        await ada.get(f"{V1}/nothing/of/the/kind"),
        await ada.put(f"{V1}/fits"),
        await ada.get(f"{V1}/datasets/x"),
        await ada.get(f"{V1}/estimators/nobody"),
        await ada.patch(f"{V1}/datasets/{dataset_id}", json={}, headers={"If-Match": '"old"'}),
        await anonymous.get(f"{V1}/datasets/{dataset_id}"),
        await anonymous.get(
            f"{V1}/datasets/{dataset_id}", headers={"Authorization": "Bearer nonsense"}
        ),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 422, 404, 412, 401, 401]
    assert await events(admin, action="access.denied") == []


async def test_answer_stands_when_the_note_cannot_be_written(
    app: FastAPI, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bob = await sign_in("bob")
    usable: async_sessionmaker[AsyncSession] = app.state.sessions
    calls = 0

    def once() -> AsyncSession:
        """The request has its session; the note finds the database away."""
        nonlocal calls
        calls += 1
        if calls > 1:
            raise ConnectionRefusedError("the database is away")
        return usable()

    monkeypatch.setattr(app.state, "sessions", once)
    answer = await bob.get(f"{V1}/fits/{ABSENT}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert calls == 2
    assert "denial not noted" in caplog.text


async def test_absent_and_foreign_cost_the_same_statements(
    sign_in: SignIn, engine: AsyncEngine
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    foreign = (await upload_csv(ada, b"x,y\n1,2\n3,4\n")).json()["id"]
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement.partition(" sa_savepoint")[0])

    costs = []
    event.listen(engine.sync_engine, "before_cursor_execute", listen)
    try:
        for dataset_id in (foreign, ABSENT):
            said.clear()
            assert (await bob.get(f"{V1}/datasets/{dataset_id}")).status_code == 404
            costs.append(list(said))
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", listen)
    assert costs[0] == costs[1]
    assert len([cost for cost in costs[0] if "INSERT INTO audit_events" in cost]) == 1


def test_denial_is_new_again_after_a_minute() -> None:
    recent = RecentDenials()
    assert recent.is_new("bob", "door", 0.0)
    assert not recent.is_new("bob", "door", SECONDS - 1)
    assert recent.is_new("ada", "door", SECONDS - 1)
    assert recent.is_new("bob", "door", SECONDS)


def test_memory_of_denials_is_bounded() -> None:
    recent = RecentDenials()
    kept = [recent.is_new("bob", number, 1.0) for number in range(10 * MOST_PER_CALLER)]
    assert sum(kept) == MOST_PER_CALLER
    noted: Any = recent._noted
    for caller in range(2 * MOST_CALLERS):
        recent.is_new(caller, "door", 1.0)
    assert len(noted) == MOST_CALLERS
