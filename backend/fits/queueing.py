"""A fit enters the queue, which is the table of fits, and leaves it when somebody ends it."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.logs import NO_REQUEST, current_request_id
from backend.fits.events import tell_state
from backend.fits.states import FitState
from backend.jobs.channels import offer_fits, stop_fits
from backend.tables import Fit

QUEUED: Final = "Queued"


async def hold_turns(session: AsyncSession, user_id: int) -> None:
    """Before the user's unfinished fits are counted, until the transaction ends."""
    key = func.hashtextextended(f"turns {user_id}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def queue_fit(session: AsyncSession, fit: Fit) -> None:
    """Let the workers know, with the commit, of a row that was just added."""
    request_id = current_request_id()
    fit.request_id = None if request_id == NO_REQUEST else request_id
    session.add(fit)
    await session.flush()
    await tell_state(session, fit.id, 0, FitState.QUEUED, QUEUED)
    await offer_fits(session)


async def leave_queue(session: AsyncSession, fit: Fit) -> None:
    """Tell workers and watchers, with the commit, that the fit was ended."""
    await session.flush()
    await tell_state(session, fit.id, fit.attempt, FitState(fit.state), fit.progress_message)
    await stop_fits(session, [])
