"""Brings the database to the schema of this code."""

import asyncio

from alembic import command
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

from backend.core.schema_check import alembic_config, current_revision, head_revision
from backend.settings import Settings


def upgrade(settings: Settings) -> None:
    """Run the missing migrations; several processes may try at once, one does it."""
    config = alembic_config()
    config.attributes["url"] = settings.database.url.get_secret_value()
    command.upgrade(config, "head")


def is_current(settings: Settings) -> bool:
    """Whether there is nothing to migrate."""
    return asyncio.run(_revision(settings)) == head_revision()


async def _revision(settings: Settings) -> str | None:
    engine = create_async_engine(settings.database.sqlalchemy_url(), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            return await current_revision(connection)
    finally:
        await engine.dispose()
