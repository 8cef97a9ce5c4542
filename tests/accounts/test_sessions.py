"""Sessions: seen, ended one by one or all at once, swept; and keys that are changed."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.accounts import attempts, service
from backend.accounts.service import Client
from backend.accounts.sweeping import sweep
from backend.core.db import create_sessions, transaction
from backend.core.errors import AppError, CredentialsRejected
from backend.core.pagination import CursorSigner
from backend.core.security import decode_access_token, hash_password, name_key
from backend.settings import SecretSettings, Settings
from backend.tables import (
    AuditEvent,
    OidcFlow,
    RefreshToken,
    SignInAttempt,
    SignInLink,
    SignInSession,
    Ticket,
    User,
)
from tests.conftest import PASSWORD, SignIn

TOKEN = "/api/v1/auth/token"
ME = "/api/v1/users/me"
Sessions = async_sessionmaker[AsyncSession]
MakeUser = Callable[..., Awaitable[User]]
HERE = Client(address="192.0.2.7", user_agent="test")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def audited(sessions: Sessions, kind: str = "session") -> list[AuditEvent]:
    async with sessions() as session:
        statement = select(AuditEvent).where(AuditEvent.action.startswith(f"{kind}."))
        return list((await session.execute(statement.order_by(AuditEvent.id))).scalars())


async def tokens_of(client: httpx.AsyncClient, username: str) -> dict[str, Any]:
    answer = await client.post(TOKEN, data={"username": username, "password": PASSWORD})
    found: dict[str, Any] = answer.json()
    return found


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await client.post(TOKEN, data=form)


async def test_signing_out_everywhere_ends_all_sessions_but_no_token(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions, settings: Settings
) -> None:
    here, there, bob = await sign_in("ada"), await sign_in("ada"), await sign_in("bob")
    refreshing = await tokens_of(anonymous, "ada")
    ticket = (await here.post("/api/v1/auth/ticket")).json()["ticket"]
    service_key = {"X-Goodfit-Service-Key": settings.secrets.service_key.get_secret_value()}
    cookie = await anonymous.post(
        "/api/v1/internal/tickets/redeem", json={"ticket": ticket}, headers=service_key
    )
    token = (await here.post("/api/v1/tokens", json={"name": "cron"})).json()["token"]
    assert (await here.delete(f"{ME}/sessions")).status_code == 204
    for client in (here, there):
        assert (await client.get(ME)).status_code == 401
    assert (await refresh(anonymous, refreshing["refresh_token"])).status_code == 401
    assert (await refresh(anonymous, cookie.json()["session"])).status_code == 401
    assert (await anonymous.get(ME, headers=bearer(token))).status_code == 200
    assert (await bob.get(ME)).status_code == 200
    rows = await audited(sessions)
    assert [row.action for row in rows].count("session.all_ended") == 1
    assert rows[-1].object_name == "ada"


async def test_the_list_shows_live_sessions_with_device_and_address(
    sign_in: SignIn, sessions: Sessions
) -> None:
    here = await sign_in("ada")
    there, old = await sign_in("ada"), await sign_in("ada")
    items = (await here.get(f"{ME}/sessions")).json()["items"]
    assert len(items) == 3
    assert {item["address"] for item in items} == {"127.0.0.1"}
    assert all(item["user_agent"].startswith("python-httpx") for item in items)
    assert {item["kind"] for item in items} == {"api"}
    await there.post("/api/v1/auth/logout")
    expired = (await old.get(f"{ME}/sessions")).json()["items"]
    gone = next(item["id"] for item in expired if item["current"])
    async with sessions() as session:
        row = await session.get_one(SignInSession, gone)
        row.expires_at = datetime.now(UTC) - timedelta(hours=1)
        await session.commit()
    items = (await here.get(f"{ME}/sessions")).json()["items"]
    assert [item["current"] for item in items] == [True]
    assert (await old.get(ME)).status_code == 401


async def test_the_last_use_of_a_session_is_noted_once_a_minute(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")

    async def used(minutes: float) -> timedelta:
        before = datetime.now(UTC) - timedelta(minutes=minutes)
        async with sessions() as session:
            await session.execute(update(SignInSession).values(last_used_at=before))
            await session.commit()
        await ada.get(ME)
        item = (await ada.get(f"{ME}/sessions")).json()["items"][0]
        return datetime.now(UTC) - datetime.fromisoformat(item["last_used_at"])

    assert await used(0.4) > timedelta(minutes=0.4)
    assert await used(30) < timedelta(minutes=2)


async def test_sign_ins_are_in_the_audit_with_method_name_and_address(
    anonymous: httpx.AsyncClient, make_user: MakeUser, sessions: Sessions
) -> None:
    await make_user("ada")
    form = {"username": "ada", "password": "not the password"}
    assert (await anonymous.post(TOKEN, data=form)).status_code == 401
    form["username"] = "x" * 900
    assert (await anonymous.post(TOKEN, data=form)).status_code == 401
    first = await tokens_of(anonymous, "ada")
    second = (await refresh(anonymous, first["refresh_token"])).json()
    for _ in range(3):  # reported once: the family has ended with the first
        assert (await refresh(anonymous, first["refresh_token"])).status_code == 401
    assert (await anonymous.get(ME, headers=bearer(second["access_token"]))).status_code == 401
    third = await tokens_of(anonymous, "ada")
    await anonymous.post("/api/v1/auth/logout", headers=bearer(third["access_token"]))
    rows = await audited(sessions)
    assert [(row.action, row.outcome, row.actor_name[:3]) for row in rows] == [
        ("session.refused", "failed", "ada"),
        ("session.refused", "failed", "xxx"),
        ("session.opened", "done", "ada"),
        ("session.refresh_reused", "denied", "ada"),
        ("session.opened", "done", "ada"),
        ("session.ended", "done", "ada"),
    ]
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert [row.object_type for row in rows[:2]] == ["user", None]
    assert len(rows[1].actor_name) == 200
    assert rows[2].details == {"method": "password"}
    assert PASSWORD not in str([row.details for row in rows])


async def test_ending_one_session_is_in_the_audit(sign_in: SignIn, sessions: Sessions) -> None:
    here, there = await sign_in("ada"), await sign_in("ada")
    items = (await here.get(f"{ME}/sessions")).json()["items"]
    other = next(item["id"] for item in items if not item["current"])
    assert (await here.delete(f"{ME}/sessions/{other}")).status_code == 204
    assert (await there.get(ME)).status_code == 401
    last = (await audited(sessions))[-1]
    assert (last.action, last.object_id) == ("session.ended", other)


async def test_without_password_login_the_right_password_is_refused(
    app: FastAPI, anonymous: httpx.AsyncClient, make_user: MakeUser, settings: Settings
) -> None:
    await make_user("ada")
    auth = settings.auth.model_copy(update={"password_login": False})
    app.state.settings = settings.model_copy(update={"auth": auth})
    try:
        answer = await anonymous.post(TOKEN, data={"username": "ada", "password": PASSWORD})
    finally:
        app.state.settings = settings
    assert answer.status_code == 403
    assert answer.json()["code"] == "password_login_off"


async def test_the_eleventh_guess_waits_whatever_is_tried(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    change = {"old_password": "wrong", "new_password": "another sentence of words"}
    for number in range(10):  # the old password and the sign-in are one count, look-alikes too
        if number % 2:
            form = {"username": "ADA", "password": "wrong"}
            assert (await anonymous.post(TOKEN, data=form)).status_code == 401
        else:
            assert (await ada.post(f"{ME}/password", json=change)).status_code == 422
    right = {"username": "ada", "password": PASSWORD}
    blocked = await anonymous.post(TOKEN, data=right)
    assert blocked.status_code == 429
    assert 0 < int(blocked.headers["retry-after"]) <= 16 * 60
    changed = await ada.post(f"{ME}/password", json={**change, "old_password": PASSWORD})
    assert changed.status_code == 429
    assert (await ada.get(ME)).status_code == 200


async def test_an_unknown_name_is_counted_like_a_known_one(
    anonymous: httpx.AsyncClient, settings: Settings, sessions: Sessions
) -> None:
    for _ in range(settings.auth.attempts_per_account):
        async with sessions() as session:
            await attempts.count_failure(session, username="Nobody", address="198.51.100.1")
            await session.commit()
    answer = await anonymous.post(TOKEN, data={"username": "nobody", "password": "x"})
    assert answer.status_code == 429


async def test_an_address_waits_after_a_hundred_failures(
    anonymous: httpx.AsyncClient, make_user: MakeUser, settings: Settings, sessions: Sessions
) -> None:
    await make_user("ada")
    async with sessions() as session:
        for number in range(settings.auth.attempts_per_address):
            await attempts.count_failure(session, username=f"u{number}", address="127.0.0.1")
        await session.commit()
    answer = await anonymous.post(TOKEN, data={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 429


async def test_a_changed_key_lets_the_earlier_one_count_and_signs_with_the_new(
    app: FastAPI, sign_in: SignIn, settings: Settings
) -> None:
    ada = await sign_in("ada")
    old = settings.secrets.token_key
    new = SecretStr(secrets.token_urlsafe(32))

    def with_keys(previous: SecretStr | None) -> Settings:
        keys = {**settings.secrets.model_dump(), "token_key": new, "previous_token_key": previous}
        return settings.model_copy(update={"secrets": SecretSettings(**keys)})

    try:
        app.state.settings = with_keys(old)
        assert (await ada.get(ME)).status_code == 200
        form = {"username": "ada", "password": PASSWORD}
        fresh = (await ada.post(TOKEN, data=form)).json()["access_token"]
        assert decode_access_token(fresh, keys=[new.get_secret_value()]) is not None
        assert decode_access_token(fresh, keys=[old.get_secret_value()]) is None
        app.state.settings = with_keys(None)
        assert (await ada.get(ME)).status_code == 401
        assert (await ada.get(ME, headers=bearer(fresh))).status_code == 200
    finally:
        app.state.settings = settings


def test_a_cursor_of_the_earlier_key_still_counts() -> None:
    cursor = CursorSigner(b"old").encode("name", "x", 7)
    assert CursorSigner(b"new", b"old").decode(cursor, "name") == ("x", 7)
    fresh = CursorSigner(b"new", b"old").encode("name", "x", 7)
    assert CursorSigner(b"new").decode(fresh, "name") == ("x", 7)
    with pytest.raises(AppError):
        CursorSigner(b"new").decode(cursor, "name")


async def test_the_sweep_forgets_what_ended_long_ago_and_nothing_else(
    sessions: Sessions, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    now = datetime.now(UTC)
    for number, age in enumerate((timedelta(days=2), timedelta(hours=-1))):
        ended = now - age
        async with sessions() as session:
            parent = SignInSession(user_id=user.id, kind="api", expires_at=ended)
            session.add(parent)
            await session.flush()
            common = {"expires_at": ended}
            session.add_all(
                [
                    RefreshToken(token_hash=f"r{number}", session_id=parent.id, used_at=now),
                    Ticket(token_hash=f"t{number}", session_id=parent.id, **common),
                    SignInLink(token_hash=f"l{number}", user_id=user.id, **common),
                    OidcFlow(
                        state_hash=f"o{number}",
                        nonce="n",
                        code_verifier="c",
                        wanted="/",
                        **common,
                    ),
                    SignInAttempt(account_key="ada", address="x", created_at=min(ended, now)),
                ]
            )
            await session.commit()
    async with sessions() as session:
        await sweep(session, attempt_window=timedelta(minutes=15))
        await session.commit()
        for table in (SignInSession, RefreshToken, Ticket, SignInLink, OidcFlow, SignInAttempt):
            count = await session.scalar(select(func.count()).select_from(table))
            assert count == 1, table


@pytest.fixture
async def real(committing_app_sessions: Sessions) -> tuple[Sessions, User]:
    """Sessions that really commit, in a database for that, and a user of their own."""
    name = f"parallel-{secrets.token_hex(4)}"
    hashed = await asyncio.to_thread(hash_password, PASSWORD)
    async with transaction(committing_app_sessions) as session:
        user = User(username=name, username_key=name_key(name), role="member", password_hash=hashed)
        session.add(user)
    return committing_app_sessions, user


async def test_of_eight_parallel_uses_of_a_refresh_token_at_most_one_works(
    real: tuple[Sessions, User], settings: Settings
) -> None:
    sessions, user = real
    for _ in range(5):
        async with transaction(sessions) as session:
            opened = await service.open_session(session, user, HERE, settings, method="password")
        token = opened.refresh_token or ""

        async def use(token: str = token) -> str | None:
            try:
                async with transaction(sessions) as session:
                    made = await service.refresh(
                        session, token=token, client=HERE, settings=settings
                    )
            except CredentialsRejected:
                return None
            return made.access_token

        done = await asyncio.gather(*(use() for _ in range(8)))
        worked = [access for access in done if access is not None]
        assert len(worked) <= 1
        async with transaction(sessions) as session:
            for access in [*worked, opened.access_token]:
                assert await service.identify(session, access, settings) is None


async def test_parallel_guesses_are_all_counted(
    real: tuple[Sessions, User], settings: Settings
) -> None:
    sessions, user = real

    async def guess() -> int:
        try:
            await service.sign_in(
                sessions, username=user.username, password="no", client=HERE, settings=settings
            )
        except AppError as error:
            return error.status
        return 200

    statuses = await asyncio.gather(*(guess() for _ in range(14)))
    assert sorted(statuses) == [401] * 10 + [429] * 4


async def test_signing_out_does_not_wait_for_a_request_that_runs(
    real: tuple[Sessions, User], settings: Settings
) -> None:
    sessions, user = real
    async with transaction(sessions) as session:
        opened = await service.open_session(session, user, HERE, settings, method="password")
        await session.execute(
            update(SignInSession)
            .where(SignInSession.user_id == user.id)
            .values(last_used_at=func.now() - timedelta(hours=1))
        )
    reading = create_sessions(sessions.kw["bind"].execution_options(isolation_level="AUTOCOMMIT"))
    async with reading() as session:
        viewer = await service.identify(session, opened.access_token, settings)
        assert viewer is not None
        async with asyncio.timeout(5), transaction(sessions) as other:
            await service.sign_out(other, viewer)
    async with transaction(sessions) as session:
        assert await service.identify(session, opened.access_token, settings) is None
