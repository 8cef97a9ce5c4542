"""A flood of sign-ins keeps nobody out who is signed in; every guess is counted all the same."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import select

from backend.accounts import passwords
from backend.accounts.passwords import Queue
from backend.core.audit import Action
from backend.core.db import SessionFactory, transaction
from backend.core.errors import Unavailable
from backend.core.security import verify_password
from backend.settings import Settings
from backend.tables import User
from tests.accounts.accounts import USERS, Sessions, bearer, deeds, sign_in_with
from tests.conftest import PASSWORD, SignIn

FLOOD = 150


def _from(address: int, settings: Settings) -> dict[str, str]:
    key = settings.secrets.service_key.get_secret_value()
    return {"X-Goodfit-Service-Key": key, "X-Goodfit-Client-Address": f"10.0.0.{address}"}


async def test_flood_of_sign_ins_leaves_the_database_to_who_is_signed_in(
    committing: httpx.AsyncClient, committing_settings: Settings
) -> None:
    root = bearer(await sign_in_with(committing, "root", PASSWORD))

    async def guess(number: int) -> httpx.Response:
        form = {"username": f"nobody {number}", "password": "x" * 12}
        headers = _from(number % 200, committing_settings)
        return await committing.post("/api/v1/auth/token", data=form, headers=headers)

    flood = [asyncio.create_task(guess(number)) for number in range(FLOOD)]
    answers = []
    while not all(task.done() for task in flood):
        async with asyncio.timeout(8):
            answers.append((await committing.get(f"{USERS}/me", headers=root)).status_code)
    refused = Counter(answer.status_code for answer in await asyncio.gather(*flood))
    assert set(answers) == {200}
    # A connection for each that waits would have ended the pool; here they are told at once.
    assert set(refused) == {401, 503}
    busy = next(task.result() for task in flood if task.result().status_code == 503)
    assert busy.json()["code"] == "busy"
    assert int(busy.headers["retry-after"]) > 0


async def test_no_connection_is_held_while_a_password_is_checked(
    committing: httpx.AsyncClient,
    committing_app_sessions: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = committing_app_sessions.kw["bind"].pool
    held: list[int] = []

    def watched(password: str, password_hash: str | None) -> bool:
        held.append(pool.checkedout())
        return verify_password(password, password_hash)

    monkeypatch.setattr(passwords, "verify_password", watched)
    root = bearer(await sign_in_with(committing, "root", PASSWORD))
    change = {"old_password": "a wrong guess", "new_password": "another good one"}
    answer = await committing.post(f"{USERS}/me/password", json=change, headers=root)
    assert answer.status_code == 422
    assert held == [0, 0]


async def test_password_that_changes_while_it_is_checked_does_not_sign_in(
    committing: httpx.AsyncClient,
    committing_app_sessions: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = bearer(await sign_in_with(committing, "root", PASSWORD))
    new = {"username": "hasty", "password": PASSWORD}
    assert (await committing.post(USERS, json=new, headers=root)).status_code == 201
    loop = asyncio.get_running_loop()

    async def reset() -> None:
        async with transaction(committing_app_sessions) as session:
            user = await session.scalar(select(User).where(User.username == "hasty"))
            assert user is not None
            user.password_hash = None

    def slow(password: str, password_hash: str | None) -> bool:
        asyncio.run_coroutine_threadsafe(reset(), loop).result()
        return verify_password(password, password_hash)

    monkeypatch.setattr(passwords, "verify_password", slow)
    assert (await sign_in_with(committing, "hasty", PASSWORD)).status_code == 401


async def test_full_queue_refuses_at_once_and_empties_again() -> None:
    queue, go_on = Queue(at_once=1, longest=1), asyncio.Event()

    async def stay() -> None:
        async with queue.turn():
            await go_on.wait()

    inside = [asyncio.create_task(stay()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Too many"):
        async with queue.turn():
            pass
    go_on.set()
    await asyncio.gather(*inside)
    async with queue.turn():
        pass


async def test_tries_beyond_the_limit_show_once_in_the_audit(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, settings: Settings
) -> None:
    await sign_in("ada")
    for _ in range(settings.auth.attempts_per_account):
        assert (await sign_in_with(anonymous, "ada", "a wrong guess")).status_code == 401
    for _ in range(3):
        assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 429
    rows = [row for row in await deeds(sessions, Action.SIGN_IN_FAILED) if row.outcome == "denied"]
    # Tests with real parallel connections leave rows of their own.
    assert [row.details for row in rows if row.actor_name == "ada"] == [{"reason": "too_many"}]
