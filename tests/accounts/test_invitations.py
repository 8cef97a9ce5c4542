"""One-time links: each counts once, for its purpose, for its user, and not for long."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from backend.accounts import links
from backend.core.access import Role
from backend.core.audit import Action
from backend.settings import Settings
from backend.tables import SignInLink, User
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
    token_in,
)
from tests.conftest import PASSWORD, SignIn

CHECK, SET = f"{V1}/auth/links/check", f"{V1}/auth/password"
JUNK = "gl_" + "x" * 43


async def _check(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(CHECK, json={"token": token})


async def _set(
    client: httpx.AsyncClient, token: str, password: str = NEW_PASSWORD
) -> httpx.Response:
    return await client.post(SET, json={"token": token, "new_password": password})


async def _expire_links(sessions: Sessions) -> None:
    async with sessions() as session:
        past = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(update(SignInLink).values(expires_at=past))
        await session.commit()


async def test_invited_user_sets_a_password_and_is_signed_in(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    assert (made["has_password"], made["invited_until"]) == (
        False,
        made["invitation"]["expires_at"],
    )
    assert "/?invitation=gl_" in made["invitation"]["url"]
    token = token_in(made["invitation"])
    shown = await _check(anonymous, token)
    assert shown.json() == {
        "purpose": "invitation",
        "username": "ada",
        "expires_at": made["invited_until"],
    }
    answer = await _set(anonymous, token)
    assert answer.headers["cache-control"] == "no-store"
    me = (await anonymous.get(f"{USERS}/me", headers=bearer(answer))).json()
    assert (me["username"], me["has_password"], me["invited_until"]) == ("ada", True, None)
    assert (await sign_in_with(anonymous, "ada", NEW_PASSWORD)).status_code == 200
    assert code(await _set(anonymous, token)) == (401, "credentials_rejected")
    assert code(await _check(anonymous, token)) == (401, "credentials_rejected")
    assert (await admin.get(f"{USERS}/{made['id']}")).json()["invited_until"] is None
    for action in (Action.USER_CREATED, Action.USER_INVITED):
        (row,) = await deeds(sessions, action)
        assert (row.actor_name, row.object_name) == ("root", "ada")
    (row,) = await deeds(sessions, Action.PASSWORD_CHANGED)
    assert (row.actor_name, row.details) == ("ada", {"by": "invitation"})


async def test_account_made_with_a_password_needs_no_invitation(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada", password=PASSWORD)
    assert (made["invitation"], made["invited_until"]) == (None, None)
    answer = await admin.post(f"{USERS}/{made['id']}/invitation")
    assert code(answer) == (409, "has_password")


async def test_new_invitation_ends_the_one_before_and_can_be_withdrawn(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    path = f"{USERS}/{made['id']}/invitation"
    second = await admin.post(path)
    assert second.status_code == 201
    assert (await _check(anonymous, token_in(made["invitation"]))).status_code == 401
    assert (await _check(anonymous, token_in(second.json()))).status_code == 200
    assert (await admin.delete(path)).status_code == 204
    assert (await _set(anonymous, token_in(second.json()))).status_code == 401
    assert (await admin.delete(path)).status_code == 404
    (row,) = await deeds(sessions, Action.INVITATION_WITHDRAWN)
    assert row.object_id == made["id"]


async def test_refused_password_leaves_the_link_as_it_was(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    token = token_in((await create(admin, "ada"))["invitation"])
    assert fields(await _set(anonymous, token, "password1234")) == ["new_password"]
    assert fields(await _set(anonymous, token, "short")) == ["new_password"]
    assert (await _set(anonymous, token)).status_code == 200


async def test_expired_link_is_refused_everywhere(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    await _expire_links(sessions)
    assert (await _check(anonymous, token_in(made["invitation"]))).status_code == 401
    assert (await _set(anonymous, token_in(made["invitation"]))).status_code == 401
    shown = (await admin.get(f"{USERS}/{made['id']}")).json()
    assert shown["invited_until"] is None


async def test_link_counts_for_its_purpose_alone(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, settings: Settings
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    token = token_in(made["invitation"])
    assert (await anonymous.post(f"{V1}/auth/link", json={"token": token})).status_code == 401
    async with sessions() as session:
        user = await session.get_one(User, made["id"])
        link = await links.make_link(session, user, "sign_in", settings)
        await session.commit()
    sign_in_token = link.url.partition("=")[2]
    assert (await _set(anonymous, sign_in_token)).status_code == 401
    once = await anonymous.post(f"{V1}/auth/link", json={"token": sign_in_token})
    assert once.status_code == 200
    again = await anonymous.post(f"{V1}/auth/link", json={"token": sign_in_token})
    assert again.status_code == 401
    assert (await _set(anonymous, token)).status_code == 200


async def test_link_of_a_disabled_or_deleted_user_is_refused(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    disabled, deleted = await create(admin, "ada"), await create(admin, "grace")
    await admin.patch(f"{USERS}/{disabled['id']}", json={"disabled": True})
    assert (await admin.delete(f"{USERS}/{deleted['id']}")).status_code == 204
    for made in (disabled, deleted):
        token = token_in(made["invitation"])
        assert code(await _check(anonymous, token)) == (401, "credentials_rejected")
        assert code(await _set(anonymous, token)) == (401, "credentials_rejected")
    again = await admin.post(f"{USERS}/{disabled['id']}/invitation")
    assert code(again) == (409, "user_disabled")
    reset = await admin.post(f"{USERS}/{disabled['id']}/password-reset")
    assert code(reset) == (409, "user_disabled")


async def test_links_are_stored_hashed(sign_in: SignIn, sessions: Sessions) -> None:
    admin = await sign_in("root", Role.ADMIN)
    token = token_in((await create(admin, "ada"))["invitation"])
    assert len(token) >= len(JUNK)
    async with sessions() as session:
        stored = (await session.execute(select(SignInLink.token_hash))).scalars().all()
    assert all(token not in text and len(text) == 64 for text in stored)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CHECK, {}, "token"),
        (CHECK, {"token": ""}, "token"),
        (CHECK, {"token": "x\x00"}, "token"),
        (SET, {"token": JUNK}, "new_password"),
        (SET, {"token": JUNK, "new_password": NEW_PASSWORD, "role": "admin"}, "role"),
    ],
)
async def test_anonymous_sending_a_wrong_body_is_told_the_field(
    anonymous: httpx.AsyncClient, path: str, body: dict[str, str], field: str
) -> None:
    assert fields(await anonymous.post(path, json=body)) == [field]


async def test_guessing_links_is_stopped_for_the_address(
    anonymous: httpx.AsyncClient, sign_in: SignIn, settings: Settings
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    token = token_in((await create(admin, "ada"))["invitation"])
    for _ in range(settings.auth.attempts_per_address):
        assert (await _check(anonymous, JUNK)).status_code == 401
    answer = await _check(anonymous, token)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert (await _set(anonymous, token)).status_code == 429


async def test_one_of_twenty_parallel_uses_of_a_link_wins(committing: httpx.AsyncClient) -> None:
    signed_in = await sign_in_with(committing, "root", PASSWORD)
    admin = bearer(signed_in)
    made = await committing.post(USERS, json={"username": "invited"}, headers=admin)
    token = token_in(made.json()["invitation"])
    answers = await asyncio.gather(
        *(_set(committing, token, f"{NEW_PASSWORD} {number}") for number in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    again = await sign_in_with(committing, "invited", f"{NEW_PASSWORD} {winner}")
    assert again.status_code == 200
