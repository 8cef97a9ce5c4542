"""MLflow's registry follows the platform's: one job per model, which makes them equal."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.jobs import queue
from backend.registry.schemas import MirrorPayload
from backend.tables import Model

MIRROR_MODEL: Final = "registry.mirror"
MIRROR_PRIORITY: Final = 5


async def enqueue_mirror(session: AsyncSession, model: Model) -> None:
    """Queue the mirroring of a model, unless it is queued already."""
    payload = MirrorPayload(model_id=model.id)
    await queue.enqueue(session, MIRROR_MODEL, payload, key=str(model.id), priority=MIRROR_PRIORITY)
