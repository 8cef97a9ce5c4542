"""Which passwords are taken, wherever one is set."""

import asyncio
from typing import Any

import httpx
import pytest

from backend.accounts import passwords
from backend.core.access import Role
from backend.core.audit import Action
from backend.core.errors import AppError
from backend.settings import Settings
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

CHANGE = f"{USERS}/me/password"
REFUSED = [
    "password1234",
    "aaaaaaaaaaaaaaaa",
    "qwertyuiop12",
    "goodfitgoodfit",
    "ada-lovelace",
    "123456789012345",
]


async def _reason(password: str) -> str | None:
    try:
        await passwords.refuse_common(
            password, field="password", username="ada-lovelace", email="ada.king@example.org"
        )
    except AppError as error:
        return error.detail
    return None


@pytest.mark.parametrize("password", [*REFUSED, "ada.king2026", "example.org1", "Passw0rd12345"])
async def test_common_password_is_refused_with_a_reason_and_advice(password: str) -> None:
    reason = await _reason(password)
    assert reason is not None
    assert reason.endswith("A sentence of a few words is good.")
    assert password not in reason


@pytest.mark.parametrize(
    "password",
    [
        "ada ada ada ada",
        "Lovelace-Ada-Lovelace!",
        "ada.king@example.org",
        "goodfit goodfit!",
        "password password",
        "PASSWORD password 1",
        "hello hello hello",
        "lovelace1 lovelace2",
        "summer summer 2026",
    ],
)
async def test_password_of_repetitions_or_of_the_account_is_refused(password: str) -> None:
    reason = await _reason(password)
    assert reason is not None
    assert reason.startswith("What is repeated, or is the account's name or address, does not")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "my dog is brown",
        "another good one",
        "ada has a brown dog",
        "very very good dog",
        "x7$Kq-9vL!pz2",
        '!!!"$%&/()=?',
        "nothing but lower case",
        "ohne Umlaute geht es \u00fc",
        "kept in a drawer under the blue lamp " * 20,
    ],
)
async def test_long_password_is_taken_without_rules_of_composition(password: str) -> None:
    assert await _reason(password) is None


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        ("eleven char", "string_too_short"),
        (" " * 12, "value_error"),
        ("x" * 1_001, "string_too_long"),
        ("with a \x00 in the middle", "value_error"),
        ("password1234", "password_too_common"),
    ],
)
async def test_admin_making_an_account_is_told_what_is_wrong_with_its_password(
    sign_in: SignIn, password: str, kind: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    answer = await admin.post(USERS, json={"username": "ada", "password": password})
    assert fields(answer) == ["password"]
    assert answer.json()["errors"][0]["type"] == kind
    assert password not in answer.text


async def test_short_password_is_told_in_characters(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(CHANGE, json={"old_password": PASSWORD, "new_password": "short"})
    assert [problem["msg"] for problem in answer.json()["errors"]] == [
        "String should have at least 12 characters"
    ]


async def test_changing_with_a_wrong_old_password_tells_nothing_of_it_by_a_weak_new_one(
    sign_in: SignIn,
) -> None:
    ada = await sign_in("ada")
    for old in ("a wrong guess", PASSWORD):
        body = {"old_password": old, "new_password": "password1234"}
        assert fields(await ada.post(CHANGE, json=body)) == ["new_password"]


async def test_blanks_around_a_password_belong_to_it(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    await create(admin, "ada", password=f"  {NEW_PASSWORD} ")
    assert (await sign_in_with(anonymous, "ada", NEW_PASSWORD)).status_code == 401
    assert (await sign_in_with(anonymous, "ada", f"  {NEW_PASSWORD} ")).status_code == 200


@pytest.mark.parametrize("password", ["password1234", "short", " " * 12])
async def test_people_cannot_change_to_a_common_password(sign_in: SignIn, password: str) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(CHANGE, json={"old_password": PASSWORD, "new_password": password})
    assert fields(answer) == ["new_password"]


async def test_wrong_old_password_counts_as_a_failed_sign_in(
    anonymous: httpx.AsyncClient, sign_in: SignIn, settings: Settings, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    body: dict[str, Any] = {"old_password": "a wrong guess", "new_password": NEW_PASSWORD}
    for _ in range(settings.auth.attempts_per_account):
        assert fields(await ada.post(CHANGE, json=body)) == ["old_password"]
    right = await ada.post(CHANGE, json={**body, "old_password": PASSWORD})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 0
    assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 429
    assert await deeds(sessions, Action.PASSWORD_CHANGED) == []


async def test_changed_password_is_audited_and_ends_open_links(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    made = await create(admin, "ada")
    first = made["invitation"]["url"].partition("=")[2]
    body = {"token": first, "new_password": NEW_PASSWORD}
    ada = bearer(await anonymous.post(f"{V1}/auth/password", json=body))
    reset = await admin.post(f"{USERS}/{made['id']}/password-reset")
    token = reset.json()["url"].partition("=")[2]
    assert (await anonymous.get(f"{USERS}/me", headers=ada)).status_code == 401
    by_link = {"token": token, "new_password": f"{NEW_PASSWORD} 2"}
    ada = bearer(await anonymous.post(f"{V1}/auth/password", json=by_link))
    change = {"old_password": f"{NEW_PASSWORD} 2", "new_password": f"{NEW_PASSWORD} 3"}
    assert (await anonymous.post(CHANGE, json=change, headers=ada)).status_code == 204
    used = await anonymous.post(f"{V1}/auth/password", json=by_link)
    assert code(used) == (401, "credentials_rejected")
    rows = await deeds(sessions, Action.PASSWORD_CHANGED)
    assert [row.details for row in rows] == [
        {"by": "invitation"},
        {"by": "password_reset"},
        {},
    ]


async def test_judging_a_password_takes_little_time() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await _reason("4@8({[<3" * 120)
    assert loop.time() - started < 2
