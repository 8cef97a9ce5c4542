"""Personal tokens: made by people, shown once, bounded by scope and project, gone at once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.core.security import token_hash
from backend.tables import ApiToken, AuditEvent, Project, ProjectMember, User
from tests.conftest import SignIn

TOKENS = "/api/v1/tokens"
ME = "/api/v1/users/me"
Sessions = async_sessionmaker[AsyncSession]
MakeUser = Callable[..., Awaitable[User]]


async def make_token(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(TOKENS, json={"name": "notebook", **body})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def personal_project(client: httpx.AsyncClient) -> int:
    items = (await client.get("/api/v1/projects")).json()["items"]
    found: int = next(item["id"] for item in items if item["personal"])
    return found


async def status_of(client: httpx.AsyncClient, token: str, path: str = ME) -> int:
    return (await client.get(path, headers=bearer(token))).status_code


async def test_a_person_makes_a_token_that_is_shown_once(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    made = await make_token(ada)
    text = made["token"]
    assert text.startswith("gf_")
    assert len(text) == 46
    assert made["hint"] == text[:8]
    assert (made["scope"], made["username"], made["created_by"]) == ("read", "ada", "ada")
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < lifetime <= timedelta(days=90)
    me = await anonymous.get(ME, headers=bearer(text))
    assert me.json()["username"] == "ada"
    listed = (await ada.get(TOKENS)).json()["items"]
    assert [item["id"] for item in listed] == [made["id"]]
    assert text not in (await ada.get(TOKENS)).text
    async with sessions() as session:
        row = await session.get_one(ApiToken, made["id"])
        assert row.token_hash == token_hash(text)


async def test_last_use_and_address_are_noted_once_a_minute(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    made = await make_token(ada)
    await anonymous.get(ME, headers=bearer(made["token"]))
    first = (await ada.get(TOKENS)).json()["items"][0]
    assert first["last_used_at"] is not None
    assert first["last_address"] == "127.0.0.1"

    async def age(minutes: int) -> datetime:
        before = datetime.now(UTC) - timedelta(minutes=minutes)
        async with sessions() as session:
            await session.execute(update(ApiToken).values(last_used_at=before))
            await session.commit()
        await anonymous.get(ME, headers=bearer(made["token"]))
        item = (await ada.get(TOKENS)).json()["items"][0]
        return datetime.fromisoformat(item["last_used_at"])

    assert datetime.now(UTC) - await age(0) < timedelta(minutes=1)
    assert datetime.now(UTC) - await age(5) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scope": "admin"}, "scope"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"project_id": 999_999_999}, "project_id"),
        ({"project_id": 0}, "project_id"),
        ({"user_id": 1}, "user_id"),
        ({"token": "gf_mine"}, "token"),
    ],
)
async def test_a_bad_wish_is_refused_by_field(
    sign_in: SignIn, body: dict[str, Any], field: str
) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(TOKENS, json={"name": "notebook", **body})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["loc"] == ["body", field]
    assert (await ada.get(TOKENS)).json()["items"] == []


async def test_a_token_may_last_for_ever(anonymous: httpx.AsyncClient, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await make_token(ada, expires_at=None)
    assert made["expires_at"] is None
    assert await status_of(anonymous, made["token"]) == 200


async def test_a_foreign_project_is_answered_like_an_absent_one(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    body = {"name": "x", "project_id": await personal_project(bob)}
    foreign = await ada.post(TOKENS, json=body)
    absent = await ada.post(TOKENS, json={**body, "project_id": 999_999_999})
    assert foreign.status_code == absent.status_code == 422
    assert {**foreign.json(), "request_id": ""} == {**absent.json(), "request_id": ""}


async def test_scopes_allow_what_they_say(anonymous: httpx.AsyncClient, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    project = {"name": "Trees", "description": ""}
    asked = {}
    for scope in ("predict", "read", "write"):
        headers = bearer((await make_token(ada, scope=scope))["token"])
        asked[scope] = [
            (await anonymous.post("/api/v1/fits/1/predict", json={"rows": []}, headers=headers)),
            (await anonymous.get(ME, headers=headers)),
            (await anonymous.post("/api/v1/projects", json=project, headers=headers)),
            (await anonymous.post(TOKENS, json={"name": "x"}, headers=headers)),
        ]
    codes = {
        scope: [answer.json().get("code", answer.status_code) for answer in answers]
        for scope, answers in asked.items()
    }
    low = "scope_too_low"
    assert [code != low for code in codes["predict"]] == [True, False, False, False]
    assert [code != low for code in codes["read"]] == [True, True, False, False]
    assert low not in codes["write"]
    assert codes["write"][1] == 200
    assert codes["write"][3] == "person_required"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TOKENS),
        ("POST", "/api/v1/auth/ticket"),
        ("POST", "/api/v1/auth/logout"),
        ("POST", f"{ME}/password"),
        ("DELETE", f"{ME}/sessions"),
        ("POST", "/api/v1/service-accounts"),
    ],
)
async def test_a_token_never_makes_accounts_passwords_or_tokens(
    anonymous: httpx.AsyncClient, sign_in: SignIn, method: str, path: str
) -> None:
    root = await sign_in("root", Role.ADMIN)
    token = (await make_token(root, scope="write"))["token"]
    body = None
    if method == "POST":
        body = {"name": "x"} if path == TOKENS else {"username": "robot"}
    if path.endswith("/password"):
        body = {"new_password": "a sentence of some words"}
    answer = await anonymous.request(method, path, json=body, headers=bearer(token))
    assert answer.status_code == 403, answer.text
    assert answer.json()["code"] == "person_required"


async def test_a_project_token_sees_its_project_only(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada", Role.ADMIN)
    inside = await personal_project(ada)
    outside = (await ada.post("/api/v1/projects", json={"name": "Other"})).json()["id"]
    headers = bearer((await make_token(ada, project_id=inside, scope="write"))["token"])
    listed = (await anonymous.get("/api/v1/projects", headers=headers)).json()["items"]
    assert [item["id"] for item in listed] == [inside]
    assert (await anonymous.get(f"/api/v1/projects/{outside}", headers=headers)).status_code == 404
    assert (await anonymous.get("/api/v1/users", headers=headers)).status_code == 403
    assert (await anonymous.get("/metrics", headers=headers)).status_code == 403
    await make_token(ada, name="another")
    tokens = (await anonymous.get(TOKENS, headers=headers)).json()["items"]
    assert [item["project_id"] for item in tokens] == [inside]
    async with sessions() as session:
        await session.execute(update(Project).values(trashed_at=datetime.now(UTC)))
        await session.commit()
    assert (await anonymous.get("/api/v1/projects", headers=headers)).status_code == 401


async def test_a_project_token_of_a_former_member_sees_nothing(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    project = await personal_project(ada)
    headers = bearer((await make_token(ada, project_id=project))["token"])
    path = f"/api/v1/projects/{project}"
    assert (await anonymous.get(path, headers=headers)).status_code == 200
    async with sessions() as session:
        member = (await session.execute(select(ProjectMember))).scalars().one()
        await session.delete(member)
        await session.commit()
    assert (await anonymous.get(path, headers=headers)).status_code == 404


async def test_a_revoked_or_expired_token_is_refused_at_once(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    made = await make_token(ada)
    path = f"{TOKENS}/{made['id']}"
    assert (await bob.delete(path)).status_code == 404
    assert await status_of(anonymous, made["token"]) == 200
    assert (await ada.delete(path)).status_code == 204
    assert await status_of(anonymous, made["token"]) == 401
    assert (await ada.delete(path)).status_code == 404
    assert (await ada.get(TOKENS)).json()["items"] == []
    other = await make_token(ada)
    async with sessions() as session:
        await session.execute(
            update(ApiToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
        await session.commit()
    answer = await anonymous.get(ME, headers=bearer(other["token"]))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_a_token_dies_with_its_user(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, column: str
) -> None:
    token = (await make_token(await sign_in("ada")))["token"]
    async with sessions() as session:
        await session.execute(update(User).values({column: datetime.now(UTC)}))
        await session.commit()
    assert await status_of(anonymous, token) == 401


async def test_a_new_role_counts_for_tokens_at_once(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    token = (await make_token(await sign_in("root", Role.ADMIN)))["token"]
    assert await status_of(anonymous, token, "/api/v1/users") == 200
    async with sessions() as session:
        await session.execute(update(User).values(role="member"))
        await session.commit()
    assert await status_of(anonymous, token, "/api/v1/users") == 403


async def test_an_account_has_at_most_a_hundred_tokens(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    user_id = (await ada.get(ME)).json()["id"]
    async with sessions() as session:
        session.add_all(
            ApiToken(
                user_id=user_id,
                name=f"t{number}",
                token_hash=f"hash {number}",
                hint="gf_",
                scope="read",
                created_by=user_id,
            )
            for number in range(99)
        )
        await session.commit()
    last = await make_token(ada)
    refused = await ada.post(TOKENS, json={"name": "x"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "too_many_tokens"
    await ada.delete(f"{TOKENS}/{last['id']}")
    await make_token(ada)


async def test_tokens_are_paged_and_sorted(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    for name in ("b", "a", "c"):
        await make_token(ada, name=name)
    page = (await ada.get(TOKENS, params={"sort": "name", "limit": 2})).json()
    assert [item["name"] for item in page["items"]] == ["a", "b"]
    rest = await ada.get(TOKENS, params={"sort": "name", "cursor": page["next_cursor"]})
    assert [item["name"] for item in rest.json()["items"]] == ["c"]
    assert (await ada.get(TOKENS, params={"sort": "token_hash"})).status_code == 422
    for sort in ("last_used_at", "-last_used_at", "expires_at"):
        first = (await ada.get(TOKENS, params={"sort": sort, "limit": 2})).json()
        query = {"sort": sort, "cursor": first["next_cursor"]}
        second = (await ada.get(TOKENS, params=query)).json()
        names = [item["name"] for item in first["items"] + second["items"]]
        assert sorted(names) == ["a", "b", "c"]


async def test_making_and_revoking_are_in_the_audit(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    made = await make_token(ada, scope="write")
    await ada.delete(f"{TOKENS}/{made['id']}")
    async with sessions() as session:
        statement = select(AuditEvent).where(AuditEvent.object_type == "token")
        rows = list((await session.execute(statement.order_by(AuditEvent.id))).scalars())
    assert [row.action for row in rows] == ["token.created", "token.revoked"]
    assert {(row.actor_name, row.object_id, row.object_name) for row in rows} == {
        ("ada", made["id"], "notebook")
    }
    assert rows[0].details["scope"] == "write"
    assert made["token"] not in str([row.details for row in rows])
