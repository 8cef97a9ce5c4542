"""What the worker does for leaderboards: keep their time, and close them."""

from datetime import timedelta

from backend.core.db import transaction
from backend.fits.leaderboards import settle
from backend.jobs.registry import WorkerContext, periodic


@periodic(every=timedelta(seconds=1))
async def settle_leaderboards(context: WorkerContext) -> None:
    """No job of the queue: fits may take all places there."""
    async with transaction(context.sessions) as session:
        await settle(session)
