"""What the worker does for models: show them in MLflow's registry."""

import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from backend.core.db import transaction
from backend.jobs.registry import WorkerContext, periodic, task
from backend.jobs.retry import LONGEST_WAIT, try_again
from backend.registry.mirroring import (
    MIRROR_MODEL,
    enqueue_behind,
    read_snapshot,
    store_mirrored,
)
from backend.registry.schemas import MirrorPayload
from backend.tracking.calls import WAIT_FOR_REPAIR, call_mlflow, require_mlflow
from backend.tracking.port import MirroredModel

_log = logging.getLogger(__name__)
MIRROR_PROGRAM: Final = "backend.tracking.registry:mirror_request"
# For a fit that MLflow does not have yet: short at first, then half of the time since.
SHORTEST_WAIT: Final = timedelta(seconds=3)
LONGEST_WAIT_FOR_RECORD: Final = timedelta(seconds=30)


@task(MIRROR_MODEL, at_once=1)
async def mirror_model(context: WorkerContext, body: bytes) -> None:
    """Bring MLflow's registry to the model's state; until it is there the job stays."""
    model_id = MirrorPayload.model_validate_json(body).model_id
    async with transaction(context.sessions) as session:
        # Released with the connection, however this worker ends; two workers never mirror at once.
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"mirror model {model_id}", 0))
        if not (await session.execute(select(lock))).scalar_one():
            raise try_again(LONGEST_WAIT, "another worker mirrors this model")
        snapshot = await read_snapshot(session, model_id)
        if snapshot is None:
            return
        await require_mlflow(context.settings)
        answer = await call_mlflow(context, MIRROR_PROGRAM, snapshot.content)
        mirrored = MirroredModel.model_validate(answer)
        is_gone = bool(snapshot.expected - mirrored.versions.keys())
        is_complete = not is_gone and snapshot.unrecorded_for is None
        shown = snapshot.revision if is_complete else None
        revision = await store_mirrored(session, model_id, mirrored, shown, snapshot.readers)
    if revision != snapshot.revision:
        raise try_again(timedelta(0), "the model was changed meanwhile")
    if snapshot.unrecorded_for is not None:
        wait = max(SHORTEST_WAIT, snapshot.unrecorded_for / 2)
        raise try_again(min(wait, LONGEST_WAIT_FOR_RECORD), "a fit is not recorded yet")
    if is_gone:
        # It was recorded and is in MLflow no more.
        raise try_again(WAIT_FOR_REPAIR, "MLflow lost a run")
    _log.info("model mirrored", extra={"model_id": model_id, "revision": revision})


@periodic(every=timedelta(seconds=15))
async def mirror_behind(context: WorkerContext) -> None:
    """Queue again what MLflow does not show, whatever became of its job."""
    async with transaction(context.sessions) as session:
        await enqueue_behind(session)
