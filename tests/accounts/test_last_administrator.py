"""Administrators who remove each other at the same moment leave one who can sign in."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, text, update

from backend.accounts.administration import hold_administrators
from backend.bootstrap import create_admin
from backend.core.access import Role
from backend.core.db import transaction
from backend.main import create_app
from backend.settings import Settings
from backend.tables import ExternalIdentity, User
from tests.accounts.accounts import USERS, Sessions, bearer, create, sign_in_with
from tests.conftest import PASSWORD, SignIn

ADMINISTRATORS = ["root", "second", "third", "fourth"]


@pytest.fixture
async def app_of_four(make_database: Callable[[str], Settings]) -> AsyncIterator[FastAPI]:
    settings = await asyncio.to_thread(make_database, "administrators")
    for name in ADMINISTRATORS:
        await asyncio.to_thread(create_admin, settings, name, PASSWORD)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


async def test_administrators_who_all_leave_at_once_leave_one(app_of_four: FastAPI) -> None:
    transport = httpx.ASGITransport(app=app_of_four, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        bearers = [bearer(await sign_in_with(client, name, PASSWORD)) for name in ADMINISTRATORS]
        listed = (await client.get(f"{USERS}?sort=created_at", headers=bearers[0])).json()
        ids = [item["id"] for item in listed["items"]]

        async def leave(number: int) -> int:
            who, path = bearers[number % 4], f"{USERS}/{ids[number % 4]}"
            if number % 4 == 0:
                return (await client.delete(path, headers=who)).status_code
            change = {"role": "member"} if number % 4 == 1 else {"disabled": True}
            return (await client.patch(path, json=change, headers=who)).status_code

        answers = await asyncio.gather(*(leave(number) for number in range(20)))
        assert set(answers) <= {200, 204, 401, 403, 404, 409}, answers
        assert 409 in answers
        left = []
        for name in ADMINISTRATORS:
            answer = await sign_in_with(client, name, PASSWORD)
            if answer.status_code == 200:
                found = await client.get(USERS, headers=bearer(answer))
                left += [name] if found.status_code == 200 else []
        assert len(left) == 1


async def test_password_counts_for_the_last_administrator_only_where_passwords_do(
    app: FastAPI, sign_in: SignIn, sessions: Sessions, settings: Settings
) -> None:
    issuer = "https://provider.example"
    root = await sign_in("root", Role.ADMIN)
    ola = await create(root, "ola", role="admin")
    async with transaction(sessions) as session:
        session.add(ExternalIdentity(user_id=ola["id"], issuer=issuer, subject="ola"))
    path = f"{USERS}/{ola['id']}"

    async def demote(settings: Settings) -> tuple[int, str]:
        app.state.settings = settings
        answer = await root.patch(path, json={"role": "member"})
        return answer.status_code, answer.json().get("code", "")

    by_provider = settings.model_copy(
        update={
            "auth": settings.auth.model_copy(update={"password_login": False}),
            "oidc": settings.oidc.model_copy(update={"issuer": issuer, "client_id": "goodfit"}),
        }
    )
    try:
        # Nobody but ola could sign in any more: root has nothing but a password.
        assert await demote(by_provider) == (409, "last_admin")
        deleted = await root.delete(path, params={"trash": True})
        assert (deleted.status_code, deleted.json()["code"]) == (409, "last_admin")
        # An identity at a provider that is no longer asked is no way in.
        app.state.settings = settings
        me = (await root.get(f"{USERS}/me")).json()
        answer = await root.patch(f"{USERS}/{me['id']}", json={"role": "member"})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
        assert await demote(settings) == (200, "")
    finally:
        app.state.settings = settings


async def test_administrator_who_is_disabled_while_waiting_changes_nothing(
    committing_settings: Settings, committing_app: FastAPI, committing: httpx.AsyncClient
) -> None:
    await asyncio.to_thread(create_admin, committing_settings, "brief", PASSWORD)
    brief = bearer(await sign_in_with(committing, "brief", PASSWORD))
    sessions = committing_app.state.sessions
    root = bearer(await sign_in_with(committing, "root", PASSWORD))
    ada = await committing.post(USERS, json={"username": "waited-for"}, headers=root)
    path = f"{USERS}/{ada.json()['id']}"
    async with transaction(sessions) as session:
        await hold_administrators(session)
        change = committing.patch(path, json={"role": "admin"}, headers=brief)
        waiting = asyncio.create_task(change)
        waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        for _ in range(500):
            if await session.scalar(waits):
                break
            await asyncio.sleep(0.02)
        assert not waiting.done()
        disable = update(User).where(User.username == "brief").values(disabled_at=func.now())
        await session.execute(disable)
    assert (await waiting).status_code == 401
    assert (await committing.get(path, headers=root)).json()["role"] == "member"
