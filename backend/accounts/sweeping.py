"""Forgetting sign-ins that have long ended; the audit keeps what happened."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.tables import OidcFlow, SignInAttempt, SignInLink, SignInSession, Ticket

# For a look at what just happened. Refresh tokens stay as long as their session does: a rotated
# one that comes back must still be known.
KEPT: Final = timedelta(days=1)
# One worker at a time is enough.
SWEEP_LOCK: Final = 7_013_010


async def sweep(session: AsyncSession, *, attempt_window: timedelta) -> None:
    """Delete what no longer counts, unless somebody else is at it."""
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(SWEEP_LOCK))):
        return
    before = func.now() - KEPT
    for statement in (
        delete(SignInAttempt).where(
            SignInAttempt.created_at < func.now() - max(attempt_window, KEPT)
        ),
        delete(Ticket).where(Ticket.expires_at < before),
        delete(SignInLink).where(SignInLink.expires_at < before),
        delete(OidcFlow).where(OidcFlow.expires_at < before),
        # Their refresh tokens, and the browser sessions made from them, go along.
        delete(SignInSession).where(
            or_(SignInSession.expires_at < before, SignInSession.revoked_at < before)
        ),
    ):
        await session.execute(statement.execution_options(synchronize_session=False))
