"""What comes before the first request: is the schema current, and who is the administrator."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, count
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import administration, links
from backend.accounts.user_repository import UserRepository, WaysIn
from backend.core.access import SYSTEM
from backend.core.audit import Action, about, record
from backend.core.db import create_engine, create_sessions, transaction
from backend.core.schema_check import current_revision, head_revision
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
        await administration.ensure_admin(session, username=username, password=password)

    _run(settings, work)


def first_signin_link(settings: Settings) -> str | None:
    """A one-time link, as long as no administrator can sign in."""

    async def work(session: AsyncSession) -> str | None:
        if settings.admin_username is not None and settings.admin_password is not None:
            password = settings.admin_password.get_secret_value()
            # Once it was there, people decide about it: it may be demoted, disabled or deleted.
            if not await UserRepository(session, SYSTEM).is_known(settings.admin_username):
                await administration.ensure_admin(
                    session, username=settings.admin_username, password=password
                )
        return await _link(session, settings)

    return _run(settings, work)


async def _link(session: AsyncSession, settings: Settings) -> str | None:
    accounts = UserRepository(session, SYSTEM)
    if await accounts.someone_can_administer(WaysIn.of(settings)):
        return None
    admin = await accounts.find_administrator() or await _first_administrator(session, accounts)
    record(session, SYSTEM, Action.USER_INVITED, about(admin), details={"purpose": "sign_in"})
    return (await links.make_link(session, admin, "sign_in", settings)).url


async def _first_administrator(session: AsyncSession, accounts: UserRepository) -> User:
    """A new account; somebody else may have the usual name, or have had it."""
    names = chain([FIRST_ADMIN], (f"{FIRST_ADMIN}-{number}" for number in count(2)))
    for name in names:
        if not await accounts.is_known(name):
            break
    return await administration.make_administrator(session, name)


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
