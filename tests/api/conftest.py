"""One world for the tests of permissions of a file; what each of them does to it is undone."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from backend.core import denials
from backend.core.denials import RecentDenials
from backend.settings import Settings
from tests.api.world import Sessions, World, make_world, undone
from tests.conftest import signing_in, undone_sessions


@pytest.fixture(scope="module")
async def sessions(engine: AsyncEngine) -> AsyncIterator[Sessions]:
    async with undone_sessions(engine) as made:
        yield made


@pytest.fixture(scope="module")
def app(started_app: FastAPI, sessions: Sessions) -> FastAPI:
    started_app.state.sessions = started_app.state.read_sessions = sessions
    return started_app


@pytest.fixture(scope="module")
async def made_world(app: FastAPI, sessions: Sessions, settings: Settings) -> AsyncIterator[World]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(denials, "_recent", RecentDenials())
        async with (
            signing_in(app, sessions) as sign_in,
            httpx.AsyncClient(transport=transport, base_url="http://test") as anonymous,
        ):
            yield await make_world(app, sign_in, anonymous, settings)


@pytest.fixture
async def world(
    made_world: World, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(denials, "_recent", RecentDenials())
    async with undone(sessions):
        yield made_world
