"""Administrators who remove each other at the same moment leave one who can sign in."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI

from backend.bootstrap import create_admin
from backend.main import create_app
from backend.settings import Settings
from tests.accounts.accounts import USERS, bearer, sign_in_with
from tests.conftest import PASSWORD

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
