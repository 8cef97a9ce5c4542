"""What only one dataset keeps in the blob store, and taking it out once the dataset is purged."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, delete, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import SessionFactory, transaction
from backend.datasets.files import try_lock_files
from backend.storage.blobs import BlobStore
from backend.tables import Dataset, DatasetProfile, DatasetVersion, Fit

_log = logging.getLogger(__name__)
SWEPT_AT_ONCE: Final = 100


def _keys(where: ColumnElement[bool]) -> Subquery:
    """Keys of all blobs that these versions and their profiles name."""

    def named_in(column: Any) -> Select[Any]:
        return (
            select(column.label("key"))
            .select_from(DatasetVersion)
            .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
            .outerjoin(DatasetProfile, DatasetProfile.dataset_version_id == DatasetVersion.id)
            .where(where, column.is_not(None))
        )

    columns = (DatasetVersion.sha256, DatasetVersion.parquet_sha256, DatasetProfile.sha256)
    return union(*map(named_in, columns)).subquery()


async def list_keys(session: AsyncSession, dataset_id: int) -> set[str]:
    """Every blob that the dataset names."""
    own = _keys(DatasetVersion.dataset_id == dataset_id)
    return set((await session.execute(select(own.c.key))).scalars())


async def list_exclusive_keys(session: AsyncSession, dataset_id: int) -> set[str]:
    """Blobs that nothing but this dataset names: no other dataset that is whole, and no fit."""
    own = _keys(DatasetVersion.dataset_id == dataset_id)
    others = _keys((DatasetVersion.dataset_id != dataset_id) & Dataset.purged_at.is_(None))
    left = func.jsonb_each_text(Fit.artifacts).table_valued("key", "value", name="left_by_fit")
    artifacts = select(left.c.value).select_from(Fit).join(left, left.c.value.is_not(None))
    statement = select(own.c.key).where(
        own.c.key.not_in(select(others.c.key)), own.c.key.not_in(artifacts)
    )
    return set((await session.execute(statement)).scalars())


async def sum_bytes(blobs: BlobStore, keys: Iterable[str]) -> int:
    """What these blobs take in the store; those that are gone take nothing."""
    return await asyncio.to_thread(lambda: sum(blobs.size(key) or 0 for key in keys))


async def remove_files(sessions: SessionFactory, blobs: BlobStore, dataset_id: int) -> int | None:
    """Take a purged dataset's own blobs out of the store; None where that has to wait.

    It waits for whoever stores files, and for a backup. The profiles go with the transaction:
    while there is one, `sweep_purged` tries again, so this may be cut off at any point.
    """
    try:
        return await _remove_files(sessions, blobs, dataset_id)
    except OSError as error:
        _log.warning("purged files stay", extra={"dataset_id": dataset_id, "reason": repr(error)})
        return None


async def _remove_files(sessions: SessionFactory, blobs: BlobStore, dataset_id: int) -> int | None:
    async with transaction(sessions) as session:
        if not await try_lock_files(session):
            return None
        keys = await list_exclusive_keys(session, dataset_id)
        freed = await sum_bytes(blobs, keys)
        await asyncio.to_thread(_remove, blobs, keys)
        versions = select(DatasetVersion.id).where(DatasetVersion.dataset_id == dataset_id)
        await session.execute(
            delete(DatasetProfile).where(DatasetProfile.dataset_version_id.in_(versions))
        )
    _log.info("dataset purged", extra={"dataset_id": dataset_id, "files": len(keys)})
    return freed


def _remove(blobs: BlobStore, keys: Iterable[str]) -> None:
    for key in keys:
        blobs.remove(key)


async def sweep_purged(sessions: SessionFactory, blobs: BlobStore) -> None:
    """Finish what was purged and could not be removed at once."""
    unfinished = (
        select(Dataset.id)
        .join(DatasetVersion, DatasetVersion.dataset_id == Dataset.id)
        .join(DatasetProfile, DatasetProfile.dataset_version_id == DatasetVersion.id)
        .where(Dataset.purged_at.is_not(None))
        .group_by(Dataset.id)
        .order_by(Dataset.id)
        .limit(SWEPT_AT_ONCE)
    )
    async with transaction(sessions) as session:
        waiting = list((await session.execute(unfinished)).scalars())
    for dataset_id in waiting:
        await remove_files(sessions, blobs, dataset_id)
