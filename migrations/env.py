"""Alembic's environment: async engine, one transaction per revision, one migrator at a time."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from backend.settings import DatabaseSettings
from backend.tables import Table

# Any constant will do; all migrators of one database have to agree on it.
MIGRATION_LOCK = 7_013_001


def _include(name: str | None, type_: str, _parents: object) -> bool:
    """The queue's tables belong to PgQueuer; a migration carries its DDL as text."""
    return not (type_ == "table" and name is not None and name.startswith("pgqueuer"))


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
        include_name=_include,
    )
    connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()


async def _run() -> None:
    url = context.config.attributes.get("url") or os.environ["GOODFIT_DATABASE__URL"]
    settings = DatabaseSettings(url=url)
    engine = create_async_engine(settings.sqlalchemy_url(), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_run())
