"""How long a refusal takes must not tell whether the account exists."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from backend.core.security import hash_password
from backend.settings import Settings
from backend.tables import User
from tests.conftest import PASSWORD

PAIRS = 30
MakeUser = Callable[..., Awaitable[User]]


@pytest.fixture
def patient(settings: Settings) -> Settings:
    """Settings that let somebody guess as often as this test has to."""
    auth = settings.auth.model_copy(
        update={"attempts_per_account": 10_000, "attempts_per_address": 10_000}
    )
    return settings.model_copy(update={"auth": auth})


async def test_unknown_names_and_wrong_passwords_take_equally_long(
    app: FastAPI,
    anonymous: httpx.AsyncClient,
    make_user: MakeUser,
    settings: Settings,
    patient: Settings,
) -> None:
    await make_user("ada", password_hash=await asyncio.to_thread(hash_password, PASSWORD))

    async def milliseconds(username: str) -> float:
        # The processor's time, threads included: other work on the machine is not measured.
        started = time.process_time()
        form = {"username": username, "password": "wrong"}
        answer = await anonymous.post("/api/v1/auth/token", data=form)
        assert answer.status_code == 401
        return (time.process_time() - started) * 1000

    app.state.settings = patient
    gc.collect()
    try:
        await milliseconds("ada")
        pairs = [(await milliseconds("ada"), await milliseconds("nobody")) for _ in range(PAIRS)]
    finally:
        app.state.settings = settings
    wrong, unknown = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    assert abs(wrong - unknown) < 30
    # A comparison says something only where the hash is most of it.
    assert min(wrong, unknown) > 20
