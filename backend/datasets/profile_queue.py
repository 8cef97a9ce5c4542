"""The job that computes a version's profile, asked for with the version itself."""

from typing import Final

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from backend.jobs import queue

PROFILE_VERSION: Final = "datasets.profile"


class ProfilePayload(BaseModel):
    """Whose profile."""

    dataset_version_id: int


async def enqueue_profile(session: AsyncSession, dataset_version_id: int) -> None:
    """Queue the profile of a version, unless it is queued already."""
    payload = ProfilePayload(dataset_version_id=dataset_version_id)
    await queue.enqueue(session, PROFILE_VERSION, payload, key=str(dataset_version_id))
