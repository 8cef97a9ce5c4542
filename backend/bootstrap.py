"""What comes before the first request: is the schema current, and who is the administrator."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import links, users
from backend.accounts.repository import UserRepository
from backend.core.access import SYSTEM, Role
from backend.core.db import create_engine, create_sessions, transaction
from backend.core.schema_check import current_revision, head_revision
from backend.core.security import name_key
from backend.settings import Settings
from backend.tables import User

Result = TypeVar("Result")
FIRST_ADMIN = "admin"
# Two starts of one database must not both invent the first administrator.
BOOTSTRAP_LOCK = 7_013_002


def is_current(settings: Settings) -> bool:
    """Whether there is nothing to migrate; does not load Alembic to find out."""

    async def revision() -> str | None:
        engine = create_engine(settings.database)
        try:
            async with engine.connect() as connection:
                return await current_revision(connection)
        finally:
            await engine.dispose()

    return asyncio.run(revision()) == head_revision()


def create_admin(settings: Settings, username: str, password: str) -> None:
    """An administrator with this name and password, made or brought back."""

    async def work(session: AsyncSession) -> None:
        await users.ensure_admin(session, username=username, password=password)

    _run(settings, work)


def first_signin_link(settings: Settings) -> str | None:
    """A one-time link, as long as no administrator can sign in with a password."""

    async def work(session: AsyncSession) -> str | None:
        if settings.admin_username is not None and settings.admin_password is not None:
            password = settings.admin_password.get_secret_value()
            accounts = UserRepository(session, SYSTEM)
            if await accounts.find_by_name(settings.admin_username) is None:
                await users.ensure_admin(
                    session, username=settings.admin_username, password=password
                )
            return None
        return await _link(session, settings)

    return _run(settings, work)


async def _link(session: AsyncSession, settings: Settings) -> str | None:
    accounts = UserRepository(session, SYSTEM)
    if await accounts.someone_can_administer():
        return None
    admin = await accounts.find_by_name(FIRST_ADMIN)
    if admin is None:
        admin = await users.add_user(
            session,
            User(username=FIRST_ADMIN, username_key=name_key(FIRST_ADMIN), role=Role.ADMIN.value),
        )
    lifetime = settings.auth.signin_link_lifetime
    token = await links.make_signin_link(session, admin, lifetime)
    return f"{settings.urls.dashboard}/?signin={token}"


def _run(settings: Settings, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        engine = create_engine(settings.database)
        try:
            async with transaction(create_sessions(engine)) as session:
                await session.execute(select(func.pg_advisory_xact_lock(BOOTSTRAP_LOCK)))
                return await work(session)
        finally:
            await engine.dispose()

    return asyncio.run(main())
