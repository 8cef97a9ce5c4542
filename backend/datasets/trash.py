"""A dataset goes to the trash, comes back, or is purged; champions keep their data.

Who trashes, restores or purges holds the dataset's row (FOR UPDATE) before anything is asked.
Who makes a version champion holds it too (FOR KEY SHARE, see `require_data_kept`). So one of the
two waits for the other, and then sees what it did.
"""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import Absent, Conflict
from backend.datasets.purging import list_exclusive_keys, list_keys, sum_bytes
from backend.datasets.repository import DatasetRepository, TrashRepository
from backend.datasets.usage import Champions, find_champions, find_uses
from backend.datasets.usage_schemas import UsageOut
from backend.projects.service import owned_project, require_editor
from backend.storage.blobs import BlobStore
from backend.tables import Dataset, DatasetVersion, Fit, ModelVersion, Retraining

UNFINISHED = ("queued", "running")
NAMED_AT_MOST = 5


class ChampionDepends(Conflict):
    """A champion depends on this data"""

    code = "champion_depends"

    def __init__(self, champions: Champions) -> None:
        count, names = champions.count, champions.names
        told = ", ".join(names[:NAMED_AT_MOST])
        if count > len(names[:NAMED_AT_MOST]):
            told += " and others" if told else "you cannot read them"
        subject = "A champion depends" if count == 1 else f"{count} champions depend"
        super().__init__(
            f"{subject} on this dataset: {told}. Promote versions that learnt from other data, "
            "or delete the models first."
        )


class NotInTrash(Conflict):
    """This dataset is not in the trash"""

    code = "not_in_trash"


class DataInTrash(Conflict):
    """The data of this version is in the trash"""

    code = "data_in_trash"


class DatasetInUse(Conflict):
    """Something that runs still reads this dataset"""

    code = "dataset_in_use"


async def _require_no_champion(session: AsyncSession, viewer: Viewer, dataset_id: int) -> None:
    champions = await find_champions(session, viewer, dataset_id)
    if champions.count:
        raise ChampionDepends(champions)


async def describe_usage(
    session: AsyncSession,
    viewer: Viewer,
    dataset_id: int,
    version: int | None,
    blobs: BlobStore,
) -> UsageOut:
    """Where a dataset was used, and what its deletion would mean.

    Also of one in the trash, for those who may restore it.
    """
    trashed = await TrashRepository(session, viewer).find_editable(dataset_id)
    dataset = trashed or await DatasetRepository(session, viewer).get(dataset_id)
    if version is not None and version > dataset.latest_version:
        raise Absent(f"This dataset has no version {version}.")
    uses = await find_uses(session, viewer, dataset.id, version)
    champions = await find_champions(session, viewer, dataset.id)
    exclusive = await list_exclusive_keys(session, dataset.id)
    keys = await list_keys(session, dataset.id)
    await session.close()  # a slow file store must not hold a database connection
    return UsageOut(
        items=uses.items,
        unlisted=uses.unlisted,
        hidden=uses.hidden,
        champions=champions.count,
        frees_bytes=await sum_bytes(blobs, exclusive),
        total_bytes=await sum_bytes(blobs, keys),
    )


async def trash_dataset(session: AsyncSession, viewer: Viewer, dataset: Dataset) -> None:
    """Out of sight, held by the caller; fits that used it keep their data."""
    await _require_no_champion(session, viewer, dataset.id)
    dataset.trashed_at = await database_time(session)
    audit.record(session, viewer, Action.DATASET_TRASHED, about(dataset))
    await session.flush()


async def _trashed_dataset(session: AsyncSession, viewer: Viewer, dataset_id: int) -> Dataset:
    """A dataset in the trash that the viewer may change, locked until the transaction ends."""
    trash = TrashRepository(session, viewer)
    dataset = await trash.find(dataset_id, for_update=True)
    if dataset is None:
        await DatasetRepository(session, viewer).get(dataset_id)
        raise NotInTrash("This dataset is not in the trash. Delete it first.")
    await require_editor(session, viewer, dataset.project_id)
    return dataset


async def restore_dataset(session: AsyncSession, viewer: Viewer, dataset_id: int) -> Dataset:
    """Back to where it was, under its name."""
    dataset = await _trashed_dataset(session, viewer, dataset_id)
    dataset.trashed_at = None
    audit.record(session, viewer, Action.DATASET_RESTORED, about(dataset))
    await session.flush()
    return dataset


async def purge_dataset(
    session: AsyncSession, viewer: Viewer, dataset_id: int, blobs: BlobStore
) -> int:
    """Give up the files of a dataset in the trash; answers how many bytes that frees.

    The rows stay: they say where fits came from. The files go when this is committed.
    """
    dataset = await _trashed_dataset(session, viewer, dataset_id)
    await owned_project(session, viewer, dataset.project_id)
    await _require_no_champion(session, viewer, dataset.id)
    await _require_unused(session, dataset.id)
    frees = await sum_bytes(blobs, await list_exclusive_keys(session, dataset.id))
    dataset.purged_at = await database_time(session)
    details = {"frees_bytes": frees}
    audit.record(session, viewer, Action.DATASET_PURGED, about(dataset), details=details)
    await session.flush()
    return frees


async def _require_unused(session: AsyncSession, dataset_id: int) -> None:
    """Refuse while a fit learns from it, is kept from its rows, or is compared on them."""
    tables = select(DatasetVersion.parquet_sha256).where(DatasetVersion.dataset_id == dataset_id)
    fits = select(func.count()).where(
        Fit.state.in_(UNFINISHED),
        or_(Fit.dataset_id == dataset_id, Fit.withheld["table"].astext.in_(tables)),
    )
    champion = and_(
        ModelVersion.model_id == Retraining.model_id,
        ModelVersion.version == Retraining.champion_version,
    )
    compared = (
        select(func.count())
        .select_from(Retraining)
        .join(ModelVersion, champion)
        .join(Fit, Fit.id == ModelVersion.fit_id)
        .where(Retraining.state.in_(UNFINISHED), Fit.dataset_id == dataset_id)
    )
    for statement, what in ((fits, "fits"), (compared, "retrainings")):
        count = (await session.execute(statement)).scalar_one()
        if count:
            raise DatasetInUse(
                f"{count} unfinished {what} still read this dataset. Wait for them, or cancel them."
            )


async def require_data_kept(session: AsyncSession, model_id: int, version: int) -> None:
    """Before a version becomes champion: its data stays out of the trash, also in this moment.

    A version whose data was purged may be champion: there is nothing left to keep.
    """
    statement = (
        select(Dataset.trashed_at, Dataset.purged_at)
        .join(Fit, Fit.dataset_id == Dataset.id)
        .join(ModelVersion, ModelVersion.fit_id == Fit.id)
        .where(ModelVersion.model_id == model_id, ModelVersion.version == version)
        .with_for_update(read=True, key_share=True, of=Dataset)
    )
    trashed_at, purged_at = (await session.execute(statement)).one()
    if trashed_at is not None and purged_at is None:
        raise DataInTrash(
            f"Version {version} learnt from a dataset that is in the trash. Restore it first."
        )
