"""Connections that the database ended are replaced without anybody noticing."""

import asyncio

from sqlalchemy import text

from backend.core.db import create_engine, create_sessions, transaction
from backend.settings import Settings

OTHERS = text(
    "select count(pg_terminate_backend(pid)) from pg_stat_activity "
    "where application_name = 'pool test' and pid <> pg_backend_pid()"
)


async def test_ended_connections_are_replaced(settings: Settings) -> None:
    engine = create_engine(settings.database)
    sessions = create_sessions(engine)
    try:
        # Several connections at once, then all of them idle in the pool.
        async def use() -> None:
            async with transaction(sessions) as session:
                await session.execute(text("set application_name = 'pool test'"))
                await session.execute(text("select pg_sleep(0.05)"))

        await asyncio.gather(*(use() for _ in range(4)))
        async with transaction(sessions) as session:
            ended = (await session.execute(OTHERS)).scalar_one()
        assert ended == 3
        await asyncio.sleep(0.1)
        await asyncio.gather(*(use() for _ in range(4)))
    finally:
        await engine.dispose()
