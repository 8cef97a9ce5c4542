"""One world for each test of permissions."""

import httpx
import pytest
from fastapi import FastAPI

from backend.core import denials
from backend.core.denials import RecentDenials
from backend.settings import Settings
from tests.api.world import World, make_world
from tests.conftest import SignIn


@pytest.fixture
async def world(
    app: FastAPI,
    sign_in: SignIn,
    anonymous: httpx.AsyncClient,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    monkeypatch.setattr(denials, "_recent", RecentDenials())
    return await make_world(app, sign_in, anonymous, settings)
