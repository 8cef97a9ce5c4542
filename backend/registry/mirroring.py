"""A model's way into MLflow's registry: from our database, so MLflow may be late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.jobs import queue
from backend.projects.mirroring import Readership, project_readers, share_again
from backend.registry.schemas import MirrorPayload
from backend.tables import Dataset, DatasetVersion, Fit, Model, ModelAlias, ModelVersion, User
from backend.tracking.port import MirroredModel, ModelRecord, VersionRecord

MIRROR_MODEL: Final = "registry.mirror"
MIRROR_PRIORITY: Final = 5
# A fit that was moved is recorded anew within seconds, however old the version is.
AGE_OF_MOVED: Final = timedelta(seconds=12)


async def enqueue_mirror(session: AsyncSession, model: Model) -> None:
    """Queue the mirroring of a model, unless it is queued already."""
    await _enqueue(session, model.id)


async def _enqueue(session: AsyncSession, model_id: int) -> None:
    payload = MirrorPayload(model_id=model_id)
    await queue.enqueue(session, MIRROR_MODEL, payload, key=str(model_id), priority=MIRROR_PRIORITY)


async def enqueue_behind(session: AsyncSession) -> None:
    """Queue each model that MLflow's registry does not show as it is."""
    behind = select(Model.id).where(Model.revision != Model.mirrored_revision).order_by(Model.id)
    for model_id in (await session.execute(behind)).scalars().all():
        await _enqueue(session, model_id)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What MLflow is told, and which state of the model that was.

    Attributes
    ----------
    readers
        Who may read it, as told.
    expected
        The versions that MLflow has afterwards.
    unrecorded_for
        How long the oldest version waits for the record of its fit; None when none does.
    """

    revision: int
    content: dict[str, Any]
    readers: Readership
    expected: frozenset[int] = frozenset()
    unrecorded_for: timedelta | None = None


async def read_snapshot(session: AsyncSession, model_id: int) -> Snapshot | None:
    """The model as it is, also in the trash; None when MLflow shows that already."""
    # Without a repository: models in the trash are no repository's.
    statement = select(Model).where(Model.id == model_id)
    model = (await session.execute(statement)).scalar_one_or_none()
    if model is None or model.revision == model.mirrored_revision:
        return None
    readers = await project_readers(session, model.project_id)
    if model.trashed_at is not None or readers.is_trashed:
        withdrawn = {"name": model.mlflow_name, "model_id": model.id}
        return Snapshot(model.revision, {"withdrawn": withdrawn}, readers)
    return await _describe(session, model, readers)


async def _describe(session: AsyncSession, model: Model, readers: Readership) -> Snapshot:
    rows = await _version_rows(session, model.id)
    aliases = select(ModelAlias.alias, ModelAlias.version).where(ModelAlias.model_id == model.id)
    versions = [
        VersionRecord.model_validate(row._asdict(), extra="ignore")
        for row in rows
        if row.run_id is not None
    ]
    record = ModelRecord(
        model_id=model.id,
        name=model.mlflow_name,
        title=model.name,
        description=model.description,
        project=readers.slug,
        readers=readers.names,
        versions=versions,
        aliases={row.alias: row.version for row in await session.execute(aliases)},
    )
    return Snapshot(
        model.revision,
        {"record": record.model_dump(mode="json")},
        readers,
        expected=frozenset(version.version for version in versions),
        unrecorded_for=max((row.age for row in rows if row.run_id is None), default=None),
    )


async def _version_rows(session: AsyncSession, model_id: int) -> Sequence[Any]:
    """All versions in the words of `VersionRecord`; without a run while the fit has no record."""
    statement = (
        select(
            ModelVersion.version,
            ModelVersion.fit_id,
            ModelVersion.mlflow_version.label("known"),
            case((Fit.moves > 0, AGE_OF_MOVED), else_=func.now() - ModelVersion.created_at).label(
                "age"
            ),
            Fit.mlflow_run_id.label("run_id"),
            Fit.estimator,
            User.username,
            Dataset.name.label("dataset_name"),
            DatasetVersion.version.label("dataset_version"),
            DatasetVersion.content_digest.label("dataset_digest"),
        )
        .join(Fit, Fit.id == ModelVersion.fit_id)
        .join(User, User.id == ModelVersion.created_by)
        .join(Dataset, Dataset.id == Fit.dataset_id)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
        .where(ModelVersion.model_id == model_id)
        .order_by(ModelVersion.version)
    )
    return (await session.execute(statement)).all()


async def store_mirrored(
    session: AsyncSession,
    model_id: int,
    mirrored: MirroredModel,
    shown: int | None,
    readers: Readership,
) -> int:
    """Keep MLflow's numbers and the revision that it shows; answers the model's revision now."""
    # First the model's row, as all other changes of it do.
    locked = select(Model.revision).where(Model.id == model_id).with_for_update()
    revision: int = (await session.execute(locked)).scalar_one()
    own = select(ModelVersion).where(ModelVersion.model_id == model_id)
    for version in (await session.execute(own)).scalars():
        version.mlflow_version = mirrored.versions.get(version.version)
    if shown is not None:
        changed = update(Model).where(Model.id == model_id).values(mirrored_revision=shown)
        await session.execute(changed)
    await share_again(session, readers)
    return revision
