"""Signing in, going on, signing out: effective at once, and with one answer for every refusal."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from backend.core.access import Role
from backend.settings import Settings
from backend.tables import User
from tests.conftest import PASSWORD, SignIn

TOKEN = "/api/v1/auth/token"
ME = "/api/v1/users/me"
MakeUser = Callable[..., Awaitable[User]]


async def _sign_in(client: httpx.AsyncClient, username: str, password: str) -> httpx.Response:
    return await client.post(TOKEN, data={"username": username, "password": password})


async def _tokens(client: httpx.AsyncClient, make_user: MakeUser) -> dict[str, Any]:
    await make_user("ada")
    answer = await _sign_in(client, "ada", PASSWORD)
    assert answer.status_code == 200
    tokens: dict[str, Any] = answer.json()
    return tokens


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(TOKEN, data={"grant_type": "refresh_token", "refresh_token": token})


async def test_password_gives_a_bearer_token_of_ten_minutes(
    anonymous: httpx.AsyncClient, make_user: MakeUser
) -> None:
    tokens = await _tokens(anonymous, make_user)
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    me = await anonymous.get(ME, headers=_bearer(tokens["access_token"]))
    assert me.json()["username"] == "ada"
    assert me.json()["role"] == "member"


async def test_unknown_wrong_and_disabled_get_the_same_answer(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await sign_in("ada")
    answers = [
        await _sign_in(anonymous, "ada", "wrong password"),
        await _sign_in(anonymous, "nobody at all", "wrong password"),
    ]
    bodies = [{**a.json(), "request_id": ""} for a in answers]
    assert [a.status_code for a in answers] == [401, 401]
    assert bodies[0] == bodies[1]
    assert all(a.headers["www-authenticate"] == "Bearer" for a in answers)


async def test_look_alike_name_is_the_same_account(
    anonymous: httpx.AsyncClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    assert (await _sign_in(anonymous, "ADA", PASSWORD)).status_code == 200


async def test_eleventh_try_waits_even_with_the_right_password(
    anonymous: httpx.AsyncClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    for _ in range(10):
        assert (await _sign_in(anonymous, "ada", "wrong")).status_code == 401
    answer = await _sign_in(anonymous, "ada", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 16 * 60


async def test_refresh_rotates_and_reuse_ends_the_family(
    anonymous: httpx.AsyncClient, make_user: MakeUser
) -> None:
    first = await _tokens(anonymous, make_user)
    second = (await _refresh(anonymous, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await _refresh(anonymous, first["refresh_token"])).status_code == 401
    assert (await _refresh(anonymous, second["refresh_token"])).status_code == 401
    me = await anonymous.get(ME, headers=_bearer(second["access_token"]))
    assert me.status_code == 401


async def test_sign_out_ends_access_and_refresh(
    anonymous: httpx.AsyncClient, make_user: MakeUser
) -> None:
    tokens = await _tokens(anonymous, make_user)
    bearer = _bearer(tokens["access_token"])
    assert (await anonymous.post("/api/v1/auth/logout", headers=bearer)).status_code == 204
    assert (await anonymous.get(ME, headers=bearer)).status_code == 401
    assert (await _refresh(anonymous, tokens["refresh_token"])).status_code == 401


async def test_ticket_makes_one_browser_session_that_dies_with_the_sign_in(
    anonymous: httpx.AsyncClient, make_user: MakeUser, settings: Settings
) -> None:
    tokens = await _tokens(anonymous, make_user)
    bearer = _bearer(tokens["access_token"])
    service = {"X-Goodfit-Service-Key": settings.secrets.service_key.get_secret_value()}
    ticket = (await anonymous.post("/api/v1/auth/ticket", headers=bearer)).json()["ticket"]
    redeem = "/api/v1/internal/tickets/redeem"
    cookie = (await anonymous.post(redeem, json={"ticket": ticket}, headers=service)).json()
    again = await anonymous.post(redeem, json={"ticket": ticket}, headers=service)
    assert again.status_code == 401
    for _ in range(2):  # a browser's token does not rotate: tabs would race
        answer = await _refresh(anonymous, cookie["session"])
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] is None
    who = "/api/v1/internal/introspect"
    found = await anonymous.post(who, json={"token": cookie["session"]}, headers=service)
    assert found.json()["username"] == "ada"
    await anonymous.post("/api/v1/auth/logout", headers=bearer)
    assert (await _refresh(anonymous, cookie["session"])).status_code == 401
    found = await anonymous.post(who, json={"token": cookie["session"]}, headers=service)
    assert found.json()["active"] is False


async def test_internal_routes_need_the_service_key(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    answer = await admin.post("/api/v1/internal/introspect", json={"token": "x"})
    assert answer.status_code == 401


async def test_password_change_asks_for_the_old_one_and_ends_other_sessions(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    here, there = await sign_in("ada"), await sign_in("ada")
    change = f"{ME}/password"
    new = "another good password"
    wrong = await here.post(change, json={"old_password": "no", "new_password": new})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["loc"] == ["body", "old_password"]
    short = await here.post(change, json={"old_password": PASSWORD, "new_password": "short"})
    assert short.status_code == 422
    done = await here.post(change, json={"old_password": PASSWORD, "new_password": new})
    assert done.status_code == 204
    assert (await here.get(ME)).status_code == 200
    assert (await there.get(ME)).status_code == 401
    assert (await _sign_in(anonymous, "ada", PASSWORD)).status_code == 401
    assert (await _sign_in(anonymous, "ada", new)).status_code == 200


async def test_sessions_are_listed_and_one_can_be_ended(sign_in: SignIn) -> None:
    here, there = await sign_in("ada"), await sign_in("ada")
    items = (await here.get(f"{ME}/sessions")).json()["items"]
    assert sorted(item["current"] for item in items) == [False, True]
    other = next(item["id"] for item in items if not item["current"])
    stranger = await sign_in("bob")
    assert (await stranger.delete(f"{ME}/sessions/{other}")).status_code == 404
    assert (await here.delete(f"{ME}/sessions/{other}")).status_code == 204
    assert (await there.get(ME)).status_code == 401


async def test_only_an_admin_makes_users_and_names_are_unique(sign_in: SignIn) -> None:
    admin, member = await sign_in("root", Role.ADMIN), await sign_in("ada")
    new = {"username": "grace", "role": "member", "password": PASSWORD}
    assert (await member.post("/api/v1/users", json=new)).status_code == 403
    made = await admin.post("/api/v1/users", json=new)
    assert made.status_code == 201
    assert (await admin.get(made.headers["location"])).json()["username"] == "grace"
    taken = await admin.post("/api/v1/users", json={**new, "username": "GRACE"})
    assert taken.status_code == 409
    reserved = await admin.post("/api/v1/users", json={**new, "username": "Goodfit-Service"})
    assert reserved.status_code == 409
    extra = await admin.post("/api/v1/users", json={**new, "id": 7})
    assert extra.status_code == 422
    listed = (await admin.get("/api/v1/users?sort=username&limit=2")).json()
    assert [item["username"] for item in listed["items"]] == ["ada", "grace"]
    rest = await admin.get(
        "/api/v1/users", params={"sort": "username", "cursor": listed["next_cursor"]}
    )
    assert [item["username"] for item in rest.json()["items"]] == ["root"]
