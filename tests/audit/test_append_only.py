"""Nobody changes what was written, not even the owner of the table."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core import audit
from backend.core.audit import Action

Sessions = async_sessionmaker[AsyncSession]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_events SET actor_name = 'somebody else'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "TRUNCATE users CASCADE",
    ],
)
async def test_owner_of_the_table_cannot_change_the_audit(sessions: Sessions, change: str) -> None:
    async with sessions() as session:
        owner = "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'audit_events'"
        assert (await session.execute(text(owner))).scalar_one() is True
        audit.record(session, None, Action.SIGN_IN_FAILED, outcome="failed", actor_name="eve")
        await session.commit()
    async with sessions() as session:
        with pytest.raises(DBAPIError, match="append-only"):
            await session.execute(text(change))
    async with sessions() as session:
        kept = await session.execute(text("SELECT actor_name FROM audit_events"))
        assert list(kept.scalars()) == ["eve"]


async def test_deed_that_is_rolled_back_leaves_no_row(sessions: Sessions) -> None:
    async with sessions() as session:
        audit.record(session, None, Action.SIGN_IN_FAILED, actor_name="eve")
        await session.flush()
        await session.rollback()
    async with sessions() as session:
        assert list(await session.execute(text("SELECT id FROM audit_events"))) == []
