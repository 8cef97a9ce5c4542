"""What the worker does for the accounts: forget what has long ended."""

from datetime import timedelta
from typing import Final

from backend.accounts.sweeping import sweep
from backend.core.db import transaction
from backend.jobs.registry import WorkerContext, periodic

SWEEP_EVERY: Final = timedelta(minutes=15)


@periodic(every=SWEEP_EVERY)
async def sweep_sign_ins(context: WorkerContext) -> None:
    """Delete expired attempts, tickets, links and sign-ins under way, and ended sessions."""
    async with transaction(context.sessions) as session:
        await sweep(session, attempt_window=context.settings.auth.attempt_window)
