"""Uploads become immutable, typed versions."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.errors import field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.files import Store
from backend.datasets.profile_queue import enqueue_profile
from backend.datasets.repository import DatasetRepository, VersionRepository
from backend.datasets.schemas import DatasetCreate, DatasetUpdate, ReadOptions, TypedUpload
from backend.projects.service import require_both_owned, require_editor, writable_project
from backend.tables import Dataset, DatasetProfile, DatasetVersion

FILES: Final = {"table": "a table", "image": "images"}


async def _add_version(
    session: AsyncSession, viewer: Viewer, dataset_id: int, number: int, typed: TypedUpload
) -> None:
    fields = asdict(typed)
    del fields["kind"]  # the dataset's
    profile_sha256 = fields.pop("profile_sha256")
    profile = DatasetProfile(
        state="queued" if profile_sha256 is None else "ready",
        sha256=profile_sha256,
        progress=0.0 if profile_sha256 is None else 1.0,
    )
    version = DatasetVersion(
        profile=profile,
        dataset_id=dataset_id,
        version=number,
        created_by=viewer.user_id,
        **fields,
    )
    session.add(version)
    if profile_sha256 is None:
        await session.flush()
        await enqueue_profile(session, version.id)


def _asked(typed: TypedUpload, options: ReadOptions | None) -> list[Any]:
    """What a request asks for besides its fields, for its fingerprint."""
    given = {} if options is None else options.model_dump(exclude_none=True)
    return [typed.file_name, typed.sha256, given]


async def create_dataset(
    session: AsyncSession,
    viewer: Viewer,
    data: DatasetCreate,
    typed: TypedUpload,
    *,
    store: Store,
    idempotency: Idempotency,
    options: ReadOptions | None = None,
) -> Dataset:
    """A new dataset whose version 1 is the upload; sent again with the same key it is the same."""
    content = fingerprint([data.model_dump(), *_asked(typed, options)])
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await DatasetRepository(session, viewer).get(made)
    project = await writable_project(session, viewer, data.project_id)
    await store()
    dataset = Dataset(
        project_id=project.id,
        name=data.name or Path(typed.file_name).stem or typed.file_name,
        description=data.description,
        kind=typed.kind,
        latest_version=1,
        created_by=viewer.user_id,
    )
    session.add(dataset)
    await session.flush()
    await _add_version(session, viewer, dataset.id, 1, typed)
    details = {"version": 1, "origin": typed.origin}
    audit.record(session, viewer, Action.DATASET_CREATED, about(dataset), details=details)
    await session.flush()
    await idempotency.remember(session, viewer, content, dataset.id)
    return await DatasetRepository(session, viewer).get(dataset.id)


async def add_version(
    session: AsyncSession,
    viewer: Viewer,
    dataset_id: int,
    typed: TypedUpload,
    *,
    store: Store,
    idempotency: Idempotency,
    options: ReadOptions | None = None,
) -> DatasetVersion:
    """The upload as the next version; parallel uploads queue up on the dataset's row."""
    versions = VersionRepository(session, viewer)
    content = fingerprint([dataset_id, *_asked(typed, options)])
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await versions.get(dataset_id, made)
    dataset = await writable_dataset(session, viewer, dataset_id)
    if typed.kind != dataset.kind:
        given, wanted = FILES[typed.kind], FILES[dataset.kind]
        place = "file" if typed.origin == "upload" else "columns"
        raise field_error(place, msg=f"{given}, but the dataset holds {wanted}", kind="kind")
    await store()
    dataset.latest_version += 1
    await _add_version(session, viewer, dataset.id, dataset.latest_version, typed)
    made_of = {
        "parent_version": typed.parent_version,
        "replay_of": typed.replay_of,
        "joined": typed.inputs or None,
    }
    details = {
        "version": dataset.latest_version,
        "origin": typed.origin,
        **{name: value for name, value in made_of.items() if value is not None},
    }
    audit.record(session, viewer, Action.DATASET_VERSION_ADDED, about(dataset), details=details)
    await session.flush()
    await idempotency.remember(session, viewer, content, dataset.latest_version)
    return await versions.get(dataset_id, dataset.latest_version)


async def writable_dataset(session: AsyncSession, viewer: Viewer, dataset_id: int) -> Dataset:
    """A dataset that the viewer may change, locked until the transaction ends."""
    dataset = await DatasetRepository(session, viewer).get(dataset_id, for_update=True)
    await require_editor(session, viewer, dataset.project_id)
    return dataset


async def update_dataset(
    session: AsyncSession, viewer: Viewer, dataset: Dataset, data: DatasetUpdate
) -> None:
    """Rename, describe, or move alone: fits that used it stay where they are."""
    changes = data.model_dump(exclude={"project_id"}, exclude_unset=True, exclude_none=True)
    details = audit.assign(dataset, changes)
    if details:
        audit.record(session, viewer, Action.DATASET_UPDATED, about(dataset), details=details)
    if data.project_id not in (None, dataset.project_id):
        source, target = await require_both_owned(
            session, viewer, dataset.project_id, data.project_id
        )
        dataset.project_id = target.id
        moved = {"from": source.id, "to": target.id}
        audit.record(session, viewer, Action.DATASET_MOVED, about(dataset), details=moved)
    await session.flush()


async def fetch_version(
    session: AsyncSession, viewer: Viewer, dataset_id: int, version: int | None
) -> tuple[Dataset, DatasetVersion]:
    """A dataset with one of its versions, the latest where none is named."""
    dataset = await DatasetRepository(session, viewer).get(dataset_id)
    number = version or dataset.latest_version
    return dataset, await VersionRepository(session, viewer).get(dataset_id, number)
