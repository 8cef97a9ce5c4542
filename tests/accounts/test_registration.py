"""People who make an account for themselves, where the settings let them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.core.audit import Action
from backend.settings import AuthSettings, OidcSettings, Settings
from tests.accounts.accounts import (
    NEW_PASSWORD,
    USERS,
    V1,
    Sessions,
    bearer,
    code,
    deeds,
    fields,
    sign_in_with,
)
from tests.conftest import PASSWORD, SignIn

REGISTER = f"{V1}/auth/register"
ADA = {"username": "ada", "password": NEW_PASSWORD}


def _auth(settings: Settings, **changes: Any) -> Settings:
    auth = AuthSettings(**{**settings.auth.model_dump(), **changes})
    return settings.model_copy(update={"auth": auth})


@pytest.fixture
def open_app(app: FastAPI, settings: Settings) -> Iterator[FastAPI]:
    """The application with registration on."""
    app.state.settings = _auth(settings, registration="on")
    yield app
    app.state.settings = settings


async def test_registering_is_off_unless_it_is_set(
    anonymous: httpx.AsyncClient, sessions: Sessions
) -> None:
    assert code(await anonymous.post(REGISTER, json=ADA)) == (403, "registration_off")
    assert await deeds(sessions, Action.USER_REGISTERED) == []
    options = (await anonymous.get(f"{V1}/auth/options")).json()
    assert options == {
        "password": True,
        "registration": "off",
        "registration_domains": [],
        "provider": None,
    }


@pytest.mark.usefixtures("open_app")
async def test_who_registers_is_a_member_with_an_unverified_address(
    anonymous: httpx.AsyncClient, sessions: Sessions
) -> None:
    body = {**ADA, "display_name": "Ada", "email": "ada@example.org"}
    made = await anonymous.post(REGISTER, json=body)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["role"], shown["email_verified"], shown["has_password"]) == (
        "member",
        False,
        True,
    )
    me = bearer(await sign_in_with(anonymous, "ada", NEW_PASSWORD))
    assert (await anonymous.get(f"{USERS}/me", headers=me)).json()["display_name"] == "Ada"
    (row,) = await deeds(sessions, Action.USER_REGISTERED)
    assert (row.actor_id, row.actor_name, row.object_id) == (None, "ada", shown["id"])
    assert row.address == "127.0.0.1"


@pytest.mark.usefixtures("open_app")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a\u200db"}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"email": "x@y"}, "email"),
        ({"role": "admin"}, "role"),
        ({"id": 1}, "id"),
        ({"owner": "root"}, "owner"),
        ({"status": "active"}, "status"),
        ({"email_verified": True}, "email_verified"),
    ],
)
async def test_who_registers_wrongly_is_told_the_field(
    anonymous: httpx.AsyncClient, sessions: Sessions, change: dict[str, Any], field: str
) -> None:
    assert fields(await anonymous.post(REGISTER, json={**ADA, **change})) == [field]
    assert await deeds(sessions, Action.USER_REGISTERED) == []


@pytest.mark.usefixtures("open_app")
@pytest.mark.parametrize("name", ["Ada", "ADA", "\uff21da", "admin", "Root", "system"])
async def test_nobody_registers_a_taken_or_reserved_name(
    anonymous: httpx.AsyncClient, sign_in: SignIn, name: str
) -> None:
    await sign_in("ada")
    answer = await anonymous.post(REGISTER, json={**ADA, "username": name})
    assert code(answer) == (409, "name_taken")


async def test_only_addresses_of_the_named_domains_register(
    anonymous: httpx.AsyncClient, app: FastAPI, settings: Settings
) -> None:
    app.state.settings = _auth(
        settings, registration="domains", registration_domains="Example.org, @lab.example"
    )
    try:
        options = (await anonymous.get(f"{V1}/auth/options")).json()
        assert options["registration_domains"] == ["example.org", "lab.example"]
        for email in (None, "ada@example.com", "ada@evil-example.org", "ada@sub.example.org"):
            answer = await anonymous.post(REGISTER, json={**ADA, "email": email})
            assert fields(answer) == ["email"]
        made = await anonymous.post(REGISTER, json={**ADA, "email": "ada@EXAMPLE.org"})
        assert made.status_code == 201
    finally:
        app.state.settings = settings


async def test_nobody_registers_where_passwords_are_off(
    anonymous: httpx.AsyncClient, app: FastAPI, settings: Settings
) -> None:
    oidc = OidcSettings(issuer="https://login.example.org", client_id="goodfit", name="Example")
    changed = _auth(settings, registration="on", password_login=False)
    app.state.settings = changed.model_copy(update={"oidc": oidc})
    try:
        assert code(await anonymous.post(REGISTER, json=ADA)) == (403, "registration_off")
        body = {"token": "gl_x", "new_password": NEW_PASSWORD}
        by_link = await anonymous.post(f"{V1}/auth/password", json=body)
        assert code(by_link) == (403, "password_login_off")
        options = (await anonymous.get(f"{V1}/auth/options")).json()
        assert (options["password"], options["registration"]) == (False, "off")
        assert options["provider"] == "Example"
    finally:
        app.state.settings = settings


@pytest.mark.usefixtures("open_app")
async def test_address_that_tries_too_often_waits(anonymous: httpx.AsyncClient) -> None:
    taken = {"username": "system", "password": NEW_PASSWORD}
    for _ in range(20):
        assert (await anonymous.post(REGISTER, json=taken)).status_code == 409
    answer = await anonymous.post(REGISTER, json=ADA)
    assert code(answer) == (429, "too_many_requests")
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60 + 1


async def test_parallel_registrations_of_one_name_make_one_account(
    committing: httpx.AsyncClient, committing_app: FastAPI, committing_settings: Settings
) -> None:
    committing_app.state.settings = _auth(committing_settings, registration="on")
    names = ["kurt", "KURT", "Kurt", "\uff4burt"] * 4
    try:
        answers = await asyncio.gather(
            *(
                committing.post(REGISTER, json={"username": name, "password": NEW_PASSWORD})
                for name in names
            )
        )
    finally:
        committing_app.state.settings = committing_settings
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
    admin = bearer(await sign_in_with(committing, "root", PASSWORD))
    found = await committing.get(f"{USERS}?name_contains=kurt", headers=admin)
    assert len(found.json()["items"]) == 1
