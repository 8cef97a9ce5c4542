"""What the worker does for purged datasets: takes out the files that stayed."""

from datetime import timedelta

from backend.datasets.purging import sweep_purged
from backend.jobs.registry import WorkerContext, periodic


@periodic(every=timedelta(seconds=5))
async def remove_purged(context: WorkerContext) -> None:
    """A chore and no job: fits may take all places of the queue."""
    await sweep_purged(context.sessions, context.blobs)
