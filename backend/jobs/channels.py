"""What processes tell each other through the database; heard with the commit that it is about.

A notification only spares waiting: whoever misses one finds out by looking, within two seconds.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

# To the workers: a fit waits, or one that they may hold was ended.
WORK: Final = "goodfit_fits"
TAKE: Final = "take"
STOP: Final = "stop"
# To whoever watches a fit, with its number: it moved on.
NEWS: Final = "goodfit_fit_events"


async def offer_fits(session: AsyncSession) -> None:
    """Wake the workers: there is something to take."""
    await session.execute(select(func.pg_notify(WORK, TAKE)))


async def stop_fits(session: AsyncSession, fit_ids: Iterable[int]) -> None:
    """Let the workers look at what they hold, and tell who watches these fits."""
    await session.execute(select(func.pg_notify(WORK, STOP)))
    for fit_id in fit_ids:
        await announce(session, fit_id)


async def announce(session: AsyncSession, fit_id: int) -> None:
    """Tell who watches this fit."""
    await session.execute(select(func.pg_notify(NEWS, str(fit_id))))
