"""Administrators read and filter the audit; others read their own history."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core import audit
from backend.core.access import Role, Viewer
from backend.core.audit import Action, Subject
from backend.tables import User
from tests.audit.events import AUDIT, events
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import V1

HISTORY = f"{V1}/users/me/history"
CSV = b"x,y\n1,2\n3,4\n"
Sessions = async_sessionmaker[AsyncSession]


async def _all_pages(client: httpx.AsyncClient, url: str, **query: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(url, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return seen


async def test_pages_join_to_all_events_once_the_newest_first(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    for _ in range(5):
        await upload_csv(ada, CSV)
    paged = await _all_pages(admin, AUDIT, action="dataset.created", limit=2)
    assert len({event["id"] for event in paged}) == len(paged) == 5
    moments = [event["at"] for event in paged]
    assert moments == sorted(moments, reverse=True)
    assert paged == await events(admin, action="dataset.created", sort="-at")


async def test_new_events_do_not_shift_the_next_page(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    for _ in range(4):
        await upload_csv(ada, CSV)
    query: dict[str, Any] = {"action": "dataset.created", "limit": 2}
    first = (await admin.get(AUDIT, params=query)).json()
    await upload_csv(ada, CSV)
    second = (await admin.get(AUDIT, params={**query, "cursor": first["next_cursor"]})).json()
    ids = [event["object_id"] for event in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4
    assert second["next_cursor"] is None


async def test_every_filter_narrows_the_list(sign_in: SignIn) -> None:
    ada, bob, admin = await sign_in("ada"), await sign_in("bob"), await sign_in("root", Role.ADMIN)
    datasets = {who: (await upload_csv(c, CSV)).json() for who, c in (("ada", ada), ("bob", bob))}
    await bob.get(f"{V1}/datasets/{datasets['ada']['id']}")
    everything = await events(admin)
    expected: dict[str, tuple[Any, Callable[[dict[str, Any]], bool]]] = {
        "actor": ("bob", lambda event: event["actor_name"] == "bob"),
        "action": ("dataset.created", lambda event: event["action"] == "dataset.created"),
        "outcome": ("denied", lambda event: event["outcome"] == "denied"),
        "object_type": ("dataset", lambda event: event["object_type"] == "dataset"),
        "object_id": (
            datasets["ada"]["id"],
            lambda event: event["object_id"] == datasets["ada"]["id"],
        ),
        "project_id": (
            datasets["bob"]["project_id"],
            lambda event: event["project_id"] == datasets["bob"]["project_id"],
        ),
        "address": ("127.0.0.1", lambda event: event["address"] == "127.0.0.1"),
    }
    for name, (value, is_wanted) in expected.items():
        found = await events(admin, **{name: value})
        assert found, name
        assert found == [event for event in everything if is_wanted(event)], name
    joined = await events(admin, actor="bob", outcome="denied", object_type="dataset")
    assert [event["object_id"] for event in joined] == [datasets["ada"]["id"]]
    assert await events(admin, address="192.0.2.1") == []


@pytest.mark.parametrize("name", ["ada", "ADA", " Ada ", "ａｄａ"])  # noqa: RUF001  # look-alikes
async def test_actor_is_found_under_look_alike_names(
    sign_in: SignIn, anonymous: httpx.AsyncClient, name: str
) -> None:
    await sign_in("ada")
    admin = await sign_in("root", Role.ADMIN)
    wrong = {"username": "ＡＤＡ", "password": "not the right one"}  # noqa: RUF001  # a look-alike
    assert (await anonymous.post(f"{V1}/auth/token", data=wrong)).status_code == 401
    found = [event["action"] for event in await events(admin, actor=name)]
    assert found == ["session.refused", "session.opened"]
    assert await events(admin, actor="ad") == []


async def test_span_of_time_includes_its_start_and_not_its_end(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    for _ in range(3):
        await upload_csv(ada, CSV)
    newest, middle, oldest = await events(admin, action="dataset.created")
    span = {"action": "dataset.created", "since": oldest["at"], "until": newest["at"]}
    assert await events(admin, **span) == [middle, oldest]
    moment = datetime.fromisoformat(middle["at"])
    elsewhere = moment.astimezone(UTC) + timedelta(hours=5, minutes=30)
    zoned = elsewhere.strftime("%Y-%m-%dT%H:%M:%S.%f") + "+05:30"
    assert await events(admin, action="dataset.created", since=zoned) == [newest, middle]


BAD_FILTERS = [
    ("action", "dataset.eaten"),
    ("outcome", "maybe"),
    ("object_id", "0"),
    ("project_id", "x"),
    ("actor", "\x00"),
    ("actor", "x" * 201),
    ("since", "yesterday"),
    ("since", "2026-01-01"),
    ("since", "2026-01-01T00:00:00"),
    ("since", "1700000000"),
    ("until", "2026-01-01T00:00:00 02:00"),
    ("until", "0001-01-01T00:00:00+14:00"),
    ("until", "9999-12-31T23:59:59-14:00"),
    ("until", "2026-13-01T00:00:00Z"),
    ("sort", "at"),
    ("sort", "-created_at"),
    ("limit", "0"),
    ("limit", "201"),
    ("cursor", "AAAA"),
]


async def test_bad_filter_is_named(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    for name, value in BAD_FILTERS:
        urls = (AUDIT,) if name in ("sort", "limit", "cursor") else (AUDIT, f"{AUDIT}.csv")
        for url in urls:
            answer = await admin.get(url, params={name: value})
            assert answer.status_code == 422, (name, value, answer.text)
            assert answer.json()["errors"][0]["loc"] == ["query", name]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
async def test_moments_at_the_end_of_time_are_no_error(sign_in: SignIn, moment: str) -> None:
    admin = await sign_in("root", Role.ADMIN)
    assert (await admin.get(AUDIT, params={"since": moment})).status_code in (200, 422)
    assert (await admin.get(AUDIT, params={"until": moment})).status_code in (200, 422)


async def test_history_holds_only_what_is_ones_own(sign_in: SignIn) -> None:
    ada, bob, admin = await sign_in("ada"), await sign_in("bob"), await sign_in("root", Role.ADMIN)
    await upload_csv(ada, CSV)
    await upload_csv(bob, CSV)
    own = await _all_pages(ada, HISTORY, limit=1)
    assert (own[0]["action"], own[-1]["action"]) == ("dataset.created", "session.opened")
    assert {event["actor_name"] for event in own} == {"ada"}
    assert {event["address"] for event in own} == {"127.0.0.1"}
    # Administrators too see their own there.
    assert {event["actor_name"] for event in await _all_pages(admin, HISTORY)} == {"root"}


async def test_history_tells_who_changed_the_account_and_not_from_where(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    me = (await ada.get(f"{V1}/users/me")).json()
    subject = Subject("user", me["id"], "ada")
    async with sessions() as session:
        root = User(username="root", username_key="root", role="admin")
        session.add(root)
        await session.flush()
        governor = Viewer(root.id, "root", Role.ADMIN, token_id=7, address="192.0.2.7")
        audit.record(session, governor, Action.USER_DISABLED, subject)
        audit.record(
            session, None, Action.SIGN_IN_FAILED, subject, actor_name="ada", address="192.0.2.8"
        )
        # An object with the same number, which is no account.
        audit.record(session, governor, Action.FIT_TRASHED, Subject("fit", me["id"]))
        await session.commit()
    answer = await ada.get(HISTORY)
    told = [(event["action"], event["actor_name"]) for event in answer.json()["items"]]
    assert told[:2] == [("session.refused", "ada"), ("user.disabled", "root")]
    assert "fit.trashed" not in dict(told)
    assert "192.0.2." not in answer.text
    assert [event["token_id"] for event in answer.json()["items"][:2]] == [None, None]
    # Nor is it found out by asking for it; other filters narrow as they do for administrators.
    for query, names in (
        ({"address": "192.0.2.7"}, []),
        ({"address": "192.0.2.8"}, []),
        ({"actor": "root"}, ["user.disabled"]),
    ):
        found = (await ada.get(HISTORY, params=query)).json()["items"]
        assert [event["action"] for event in found] == names


async def test_cursor_of_one_list_finds_nothing_more_in_another(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    for _ in range(3):
        await upload_csv(ada, CSV)
    cursor = (await ada.get(HISTORY, params={"limit": 1})).json()["next_cursor"]
    items = (await bob.get(HISTORY, params={"cursor": cursor})).json()["items"]
    assert {event["actor_name"] for event in items} <= {"bob"}
