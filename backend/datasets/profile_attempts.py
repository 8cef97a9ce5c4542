"""The worker's short transactions over a profile: claim, report, finish; fenced by the attempt."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.datasets.profile_queue import enqueue_profile
from backend.tables import Dataset, DatasetProfile, DatasetVersion
from backend.tables.dataset import OLD_DIGEST

MOST_ATTEMPTS: Final = 3
# Of what waits; the others follow with the next rounds.
QUEUED_AT_ONCE: Final = 200
# Any constant will do; all workers of one database have to agree on it.
RESTORE_LOCK: Final = 7_013_005
LOST: Final = (
    "The worker was lost {} times while it computed this profile. Most likely it needs more "
    "memory than there is."
)


@dataclass(frozen=True, slots=True)
class ProfileClaim:
    """The right to compute a profile; worth nothing once somebody holds a newer attempt."""

    dataset_version_id: int
    attempt: int
    may_be_lost: bool
    parquet_sha256: str
    columns: list[dict[str, Any]]
    # The version's is of an earlier release, and of another algorithm.
    wants_digest: bool = False


async def claim(session: AsyncSession, dataset_version_id: int) -> ProfileClaim | None:
    """Take a profile; None when it is there, failed, lost too often, or its data is not wanted."""
    profile = await session.get(DatasetProfile, dataset_version_id, with_for_update=True)
    if profile is None or profile.state not in ("queued", "running"):
        return None
    version = await session.get_one(DatasetVersion, dataset_version_id)
    dataset = await session.get_one(Dataset, version.dataset_id)
    if dataset.trashed_at is not None or dataset.purged_at is not None:
        # Should it be restored, the chore queues it again.
        profile.state = "queued"
        return None
    if profile.attempt >= MOST_ATTEMPTS:
        profile.state, profile.error = "failed", LOST.format(profile.attempt)
        profile.changed_at = func.now()
        return None
    profile.state, profile.progress, profile.progress_message = "running", 0.0, "Starting"
    profile.attempt += 1
    profile.changed_at = func.now()
    await session.flush()
    return ProfileClaim(
        dataset_version_id=dataset_version_id,
        attempt=profile.attempt,
        may_be_lost=profile.attempt < MOST_ATTEMPTS,
        parquet_sha256=version.parquet_sha256,
        columns=version.columns,
        wants_digest=version.content_digest.startswith(OLD_DIGEST),
    )


def _held(held: ProfileClaim) -> ColumnElement[bool]:
    """True only while this attempt is the newest."""
    return and_(
        DatasetProfile.dataset_version_id == held.dataset_version_id,
        DatasetProfile.attempt == held.attempt,
        DatasetProfile.state == "running",
    )


async def _write(session: AsyncSession, held: ProfileClaim, **values: Any) -> bool:
    """Whether the claim still held."""
    statement = (
        update(DatasetProfile)
        .where(_held(held))
        .values(changed_at=func.now(), **values)
        .returning(DatasetProfile.dataset_version_id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def report(session: AsyncSession, held: ProfileClaim, fraction: float, message: str) -> bool:
    """Show progress; False when the claim no longer holds, so the work should stop."""
    share = min(max(fraction, 0.0), 1.0)
    return await _write(session, held, progress=share, progress_message=message[:200])


async def is_wanted(session: AsyncSession, held: ProfileClaim) -> bool:
    """Whether the version is still there for somebody to look at."""
    statement = (
        select(DatasetProfile.dataset_version_id)
        .join(DatasetVersion, DatasetVersion.id == DatasetProfile.dataset_version_id)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(_held(held), Dataset.trashed_at.is_(None), Dataset.purged_at.is_(None))
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def give_back(session: AsyncSession, held: ProfileClaim) -> None:
    """Let another attempt start over; that this one ended is not the profile's fault."""
    await _write(
        session,
        held,
        state="queued",
        attempt=held.attempt - 1,
        progress=0.0,
        progress_message="",
    )


async def succeed(
    session: AsyncSession, held: ProfileClaim, sha256: str, digest: str | None = None
) -> bool:
    """Name the profile, whose file is in the store; False when fenced off.

    A digest takes the place of one of an earlier release, once: all else of a version stays.
    """
    holds = await _write(
        session,
        held,
        state="ready",
        sha256=sha256,
        progress=1.0,
        progress_message="Done",
        error=None,
    )
    if holds and digest is not None:
        own = DatasetVersion.id == held.dataset_version_id
        marked = DatasetVersion.content_digest.startswith(OLD_DIGEST)
        await session.execute(
            update(DatasetVersion).where(own, marked).values(content_digest=digest)
        )
    return holds


async def fail(session: AsyncSession, held: ProfileClaim, message: str) -> bool:
    """End with a reason that people can act upon."""
    return await _write(session, held, state="failed", error=message[:2_000])


async def queue_waiting(session: AsyncSession) -> None:
    """Queue what waits for its profile and may have no job, such as versions of old."""
    lock = func.pg_try_advisory_xact_lock(RESTORE_LOCK)
    if not (await session.execute(select(lock))).scalar_one():
        return
    await _adopt(session)
    statement = (
        select(DatasetProfile.dataset_version_id)
        .join(DatasetVersion, DatasetVersion.id == DatasetProfile.dataset_version_id)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(DatasetProfile.state.in_(("queued", "running")))
        .where(Dataset.trashed_at.is_(None), Dataset.purged_at.is_(None))
        .order_by(DatasetProfile.dataset_version_id)
        .limit(QUEUED_AT_ONCE)
    )
    for (dataset_version_id,) in (await session.execute(statement)).all():
        await enqueue_profile(session, dataset_version_id)


async def _adopt(session: AsyncSession) -> None:
    """Give a profile to versions that the previous release made beside this one, as 0005 does."""
    without = (
        select(DatasetVersion.id, literal("queued"), literal(0.0), literal(""), literal(0))
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .outerjoin(DatasetProfile, DatasetProfile.dataset_version_id == DatasetVersion.id)
        .where(Dataset.purged_at.is_(None), DatasetProfile.dataset_version_id.is_(None))
    )
    names = ["dataset_version_id", "state", "progress", "progress_message", "attempt"]
    made = insert(DatasetProfile).from_select(names, without).on_conflict_do_nothing()
    adopted = (await session.execute(made.returning(DatasetProfile.dataset_version_id))).scalars()
    tables = select(Dataset.id).where(Dataset.kind == "table")
    await session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id.in_(adopted.all()), DatasetVersion.dataset_id.in_(tables))
        .values(content_digest=OLD_DIGEST + DatasetVersion.content_digest)
    )
