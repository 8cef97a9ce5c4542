"""The database engine and its sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from backend.core.errors import AppError
from backend.settings import DatabaseSettings

SessionFactory = async_sessionmaker[AsyncSession]


def create_engine(settings: DatabaseSettings) -> AsyncEngine:
    """A pool that notices dead connections, so that a restart of Postgres heals by itself."""
    engine = create_async_engine(
        settings.sqlalchemy_url(),
        pool_size=settings.pool_size,
        max_overflow=settings.pool_overflow,
        pool_timeout=10,
        connect_args={"timeout": 10, "server_settings": {"timezone": "UTC"}},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: DBAPIConnection, _record: Any, _proxy: Any) -> None:
    """The driver has seen when the server hung up; asking the server takes three round trips."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def create_sessions(engine: AsyncEngine) -> SessionFactory:
    """Sessions whose rows stay readable after commit: the response is already serialised then."""
    return async_sessionmaker(engine, expire_on_commit=False)


def create_read_sessions(engine: AsyncEngine) -> SessionFactory:
    """Sessions for one or two lookups: each statement stands alone, without BEGIN and COMMIT."""
    return create_sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))


@asynccontextmanager
async def transaction(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A session whose changes are kept when the block ends well: the one commit of the code."""
    async with sessions() as session:
        try:
            yield session
        except AppError as error:
            if error.keeps_changes:
                await session.commit()
            raise
        await session.commit()


async def database_time(session: AsyncSession, *, after: timedelta = timedelta(0)) -> datetime:
    """The database's now, plus a span: all machines agree on it."""
    return (await session.execute(select(func.now() + after))).scalar_one()
