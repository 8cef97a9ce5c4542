"""Accounts as administrators govern them, and as their owners change them."""

from typing import Any

import httpx
import pytest

from backend.core.access import Role
from backend.core.audit import Action
from tests.accounts.accounts import (
    NEW_PASSWORD,
    USERS,
    V1,
    Sessions,
    bearer,
    code,
    create,
    deeds,
    fields,
    sign_in_with,
)
from tests.conftest import PASSWORD, SignIn

ME = f"{USERS}/me"


async def test_admin_finds_accounts_by_name_role_kind_and_state(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    await create(admin, "ada", display_name="Ada Lovelace", password=PASSWORD)
    await create(admin, "grace", role="viewer")
    gone = await create(admin, "alan", password=PASSWORD)
    await admin.patch(f"{USERS}/{gone['id']}", json={"disabled": True})

    async def names(**wanted: str) -> list[str]:
        answer = await admin.get(USERS, params={"sort": "username", **wanted})
        assert answer.status_code == 200, answer.text
        return [item["username"] for item in answer.json()["items"]]

    assert await names() == ["ada", "alan", "grace", "root"]
    assert await names(name_contains="LOVE") == ["ada"]
    assert await names(name_contains="%") == []
    assert await names(role="viewer") == ["grace"]
    assert await names(kind="service") == []
    assert await names(state="invited") == ["grace"]
    assert await names(state="disabled") == ["alan"]
    assert await names(state="active") == ["ada", "root"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("role=king", "role"), ("kind=cat", "kind"), ("state=asleep", "state"), ("sort=x", "sort")],
)
async def test_admin_asking_for_nonsense_is_told_the_parameter(
    sign_in: SignIn, query: str, field: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    assert fields(await admin.get(f"{USERS}?{query}")) == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "a"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "ad\u200da"}, "username"),
        ({"username": "ada\ufe0f"}, "username"),
        ({"username": "ada", "email": "nobody"}, "email"),
        ({"username": "ada", "role": "king"}, "role"),
        ({"username": "ada", "display_name": "a\nb"}, "display_name"),
        ({"username": "ada", "password": "short"}, "password"),
        ({"username": "ada", "id": 7}, "id"),
        ({"username": "ada", "created_at": "2020-01-01T00:00:00Z"}, "created_at"),
        ({}, "username"),
    ],
)
async def test_admin_making_a_wrong_account_is_told_the_field(
    sign_in: SignIn, sessions: Sessions, body: dict[str, Any], field: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    assert fields(await admin.post(USERS, json=body)) == [field]
    assert await deeds(sessions, Action.USER_CREATED) == []


@pytest.mark.parametrize(
    "name", ["ADA", "\uff41\uff44\uff41", " ada ", "system", "Goodfit-Service"]
)
async def test_admin_cannot_give_a_look_alike_or_reserved_name(sign_in: SignIn, name: str) -> None:
    admin = await sign_in("root", Role.ADMIN)
    await create(admin, "ada", password=PASSWORD)
    answer = await admin.post(USERS, json={"username": name, "password": PASSWORD})
    assert code(answer) == (409, "name_taken")


async def test_admin_cannot_give_a_mail_address_twice(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada", email="ada@example.org")
    assert made["email_verified"] is True
    other = await create(admin, "grace")
    again = {"username": "alan", "email": "ADA@example.org"}
    assert code(await admin.post(USERS, json=again)) == (409, "email_taken")
    change = await admin.patch(f"{USERS}/{other['id']}", json={"email": "ada@example.org"})
    assert code(change) == (409, "email_taken")
    assert (await admin.get(f"{USERS}/{other['id']}")).json()["email"] is None


async def test_role_counts_with_the_next_request(sign_in: SignIn, sessions: Sessions) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    ada_id = (await ada.get(ME)).json()["id"]
    assert (await ada.get(USERS)).status_code == 403
    await admin.patch(f"{USERS}/{ada_id}", json={"role": "admin"})
    assert (await ada.get(USERS)).status_code == 200
    await admin.patch(f"{USERS}/{ada_id}", json={"role": "viewer"})
    assert (await ada.get(USERS)).status_code == 403
    assert (await ada.post(f"{V1}/projects", json={"name": "x"})).status_code == 403
    changes = [row.details for row in await deeds(sessions, Action.ROLE_CHANGED)]
    assert changes == [{"from": "member", "to": "admin"}, {"from": "admin", "to": "viewer"}]


async def test_disabling_ends_sessions_and_enabling_lets_in_again(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    ada_id = (await ada.get(ME)).json()["id"]
    shown = await admin.patch(f"{USERS}/{ada_id}", json={"disabled": True})
    assert shown.json()["disabled"] is True
    assert (await ada.get(ME)).status_code == 401
    assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 401
    await admin.patch(f"{USERS}/{ada_id}", json={"disabled": False})
    assert (await ada.get(ME)).status_code == 401  # the old session stays ended
    assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 200
    for action in (Action.USER_DISABLED, Action.USER_ENABLED):
        (row,) = await deeds(sessions, action)
        assert (row.actor_name, row.object_id, row.object_name) == ("root", ada_id, "ada")


async def test_change_that_changes_nothing_leaves_no_trace(
    sign_in: SignIn, sessions: Sessions
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada", email="ada@example.org", password=PASSWORD)
    same = {"email": "ada@example.org", "role": "member", "disabled": False, "display_name": ""}
    answer = await admin.patch(f"{USERS}/{made['id']}", json=same)
    assert answer.status_code == 200
    for action in (Action.USER_UPDATED, Action.ROLE_CHANGED, Action.USER_ENABLED):
        assert await deeds(sessions, action) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": None}, "role"),
        ({"role": "owner"}, "role"),
        ({"disabled": None}, "disabled"),
        ({"email": "x"}, "email"),
        ({"username": "other"}, "username"),
        ({"id": 1}, "id"),
        ({"password": NEW_PASSWORD}, "password"),
    ],
)
async def test_admin_changing_a_wrong_field_is_told_it(
    sign_in: SignIn, body: dict[str, Any], field: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada", password=PASSWORD)
    assert fields(await admin.patch(f"{USERS}/{made['id']}", json=body)) == [field]


async def test_stale_change_of_an_account_is_refused(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    path = f"{USERS}/{made['id']}"
    etag = (await admin.get(path)).headers["etag"]
    first = await admin.patch(path, json={"display_name": "A"}, headers={"If-Match": etag})
    assert first.status_code == 200
    second = await admin.patch(path, json={"display_name": "B"}, headers={"If-Match": etag})
    assert second.status_code == 412
    third = await admin.delete(path, headers={"If-Match": etag})
    assert third.status_code == 412
    assert (await admin.get(path)).json()["display_name"] == "A"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
async def test_nobody_else_governs_accounts(sign_in: SignIn, role: Role) -> None:
    ada = await sign_in("ada", role)
    own = (await ada.get(ME)).json()["id"]
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", f"/{own}"),
        ("PATCH", f"/{own}"),
        ("DELETE", f"/{own}"),
        ("GET", f"/{own}/holdings"),
        ("POST", f"/{own}/invitation"),
        ("DELETE", f"/{own}/invitation"),
        ("POST", f"/{own}/password-reset"),
    ):
        bodies = {"POST": {"username": "x1"}, "PATCH": {"display_name": "x"}}
        answer = await ada.request(method, f"{USERS}{path}", json=bodies.get(method))
        assert answer.status_code == 403, (method, path)


async def test_people_change_their_name_and_mail_alone(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    named = await ada.patch(ME, json={"display_name": " Ada "})
    assert (named.json()["display_name"], named.json()["email"]) == ("Ada", None)
    mailed = (await ada.patch(ME, json={"email": "ada@example.org"})).json()
    assert (mailed["display_name"], mailed["email"]) == ("Ada", "ada@example.org")
    assert mailed["email_verified"] is False
    for field, value in (("role", "admin"), ("id", 1), ("disabled", False), ("username", "x1")):
        assert fields(await ada.patch(ME, json={field: value})) == [field]
    rows = await deeds(sessions, Action.USER_UPDATED)
    assert [row.details for row in rows] == [{"fields": ["display_name"]}, {"fields": ["email"]}]
    assert {row.actor_name for row in rows} == {"ada"}


async def test_own_new_mail_address_is_not_verified(sign_in: SignIn) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    own = (await ada.get(ME)).json()
    verified = await admin.patch(f"{USERS}/{own['id']}", json={"email": "ada@example.org"})
    assert verified.json()["email_verified"] is True
    same = await ada.patch(ME, json={"email": "Ada@example.org"})
    assert same.json()["email_verified"] is True
    other = await ada.patch(ME, json={"email": "root@example.org"})
    assert other.json()["email_verified"] is False


async def test_verifying_an_address_that_stays_is_audited(
    sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    own = (await ada.patch(ME, json={"email": "ada@example.org"})).json()
    for _ in range(2):
        verified = await admin.patch(f"{USERS}/{own['id']}", json={"email": "ada@example.org"})
        assert verified.json()["email_verified"] is True
    rows = [row for row in await deeds(sessions, Action.USER_UPDATED) if row.actor_name == "root"]
    assert [row.details for row in rows] == [{"fields": ["email_verified"]}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"username": "a b"}, "Letters, digits and . @ + - _ only, and a letter or digit first."),
        ({"username": "a"}, "String should have at least 2 characters"),
        ({"username": "ada", "email": "nowhere"}, "This is no mail address."),
    ],
)
async def test_refused_name_or_address_is_explained_without_a_pattern(
    sign_in: SignIn, body: dict[str, str], said: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    answer = await admin.post(USERS, json=body)
    assert [problem["msg"] for problem in answer.json()["errors"]] == [said]


async def test_stale_change_of_ones_own_account_is_refused(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    etag = (await ada.get(ME)).headers["etag"]
    await ada.patch(ME, json={"display_name": "A"})
    late = await ada.patch(ME, json={"display_name": "B"}, headers={"If-Match": etag})
    assert late.status_code == 412


async def test_password_reset_ends_password_and_sessions_until_a_new_one_is_set(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    ada_id = (await ada.get(ME)).json()["id"]
    answer = await admin.post(f"{USERS}/{ada_id}/password-reset")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert "/?reset=gl_" in answer.json()["url"]
    assert (await ada.get(ME)).status_code == 401
    assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 401
    token = answer.json()["url"].partition("=")[2]
    body = {"token": token, "new_password": NEW_PASSWORD}
    signed_in = bearer(await anonymous.post(f"{V1}/auth/password", json=body))
    assert (await anonymous.get(ME, headers=signed_in)).json()["username"] == "ada"
    assert (await sign_in_with(anonymous, "ada", NEW_PASSWORD)).status_code == 200
    (row,) = await deeds(sessions, Action.PASSWORD_RESET)
    assert (row.actor_name, row.object_name) == ("root", "ada")


async def test_unknown_account_is_not_found(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/holdings"),
        ("POST", "/invitation"),
        ("DELETE", "/invitation"),
        ("POST", "/password-reset"),
    ):
        change = {"display_name": "x"} if method == "PATCH" else None
        answer = await admin.request(method, f"{USERS}/999999{path}", json=change)
        assert code(answer) == (404, "not_found"), (method, path)
