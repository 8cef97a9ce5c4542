"""The files of versions in the blob store, and the locks between those who keep and who remove."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import TooLarge
from backend.datasets.schemas import TypedUpload
from backend.storage.blobs import BlobStore
from backend.tables import Dataset, DatasetVersion

# Keys of advisory locks: of all files, and of what one user keeps.
FILES_LOCK: Final = 0x600D_F17E
QUOTA_LOCK: Final = 0x600D_0A7A
MOST_OF_A_KEY: Final = 0x7FFF_FFFF
# Keeps an upload's files; called once nothing speaks against them any more.
Store = Callable[[], Awaitable[None]]


class QuotaExceeded(TooLarge):
    """Your datasets would take more than you may keep"""

    code = "quota_exceeded"


async def hold_files(session: AsyncSession) -> None:
    """Before files are stored and named: nobody removes any until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(FILES_LOCK)))


async def try_lock_files(session: AsyncSession) -> bool:
    """Before files are removed: keeps others from storing some; False while somebody does.

    It does not wait: whoever wants to store files would wait behind it.
    """
    lock = func.pg_try_advisory_xact_lock(FILES_LOCK)
    return bool((await session.execute(select(lock))).scalar_one())


async def hold_quota(session: AsyncSession, user_id: int) -> None:
    """Before it is asked whether files of the user fit, until the transaction ends."""
    # Locks of two keys are other ones than those of one.
    lock = func.pg_advisory_xact_lock(QUOTA_LOCK, user_id & MOST_OF_A_KEY)
    await session.execute(select(lock))


async def require_quota(
    session: AsyncSession, viewer: Viewer, *, added: int, quota_bytes: int
) -> int:
    """Refuse what would take the versions that the viewer made beyond their quota.

    Returns
    -------
    int
        Bytes that the viewer may keep, with what is added.

    Raises
    ------
    QuotaExceeded
        Says how much is taken and how much may be.
    """
    used = await session.scalar(
        select(func.coalesce(func.sum(DatasetVersion.bytes), 0))
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(DatasetVersion.created_by == viewer.user_id, Dataset.purged_at.is_(None))
    )
    used = int(used or 0)
    if used + added > quota_bytes:
        raise QuotaExceeded(
            f"You keep {used:,} bytes of at most {quota_bytes:,}; this would add {added:,}. "
            "Delete datasets that you no longer need, and purge them from the trash."
        )
    return quota_bytes - used


def storing(
    session: AsyncSession,
    viewer: Viewer,
    blobs: BlobStore,
    typed: TypedUpload,
    *,
    folder: Path,
    quota_bytes: int,
) -> Store:
    """What keeps a version's files, which `keep_table` and its like left in the folder."""

    async def store() -> None:
        # Two uploads at once must not pass together where only one of them fits.
        await hold_quota(session, viewer.user_id)
        await require_quota(session, viewer, added=typed.bytes, quota_bytes=quota_bytes)
        await hold_files(session)
        await asyncio.to_thread(store_files, blobs, typed, folder)

    return store


@asynccontextmanager
async def at_hand(blobs: BlobStore, digest: str, folder: Path) -> AsyncIterator[Path]:
    """A path at which a blob can be read; that of a bucket is copied in a thread."""
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, blobs.local(digest, folder))


def original_path(folder: Path) -> Path:
    """Where the bytes of an upload are, in its folder."""
    return folder / "upload"


def parquet_path(folder: Path) -> Path:
    """Where the typed table goes, in the folder of its upload or recipe."""
    return folder / "upload.parquet"


def profile_path(folder: Path) -> Path:
    """Where the profile of a small table goes."""
    return folder / "upload.profile.json"


def store_files(blobs: BlobStore, typed: TypedUpload, folder: Path) -> None:
    """Move a version's files into the store; the original of a recipe is its typed table."""
    if typed.sha256 != typed.parquet_sha256:
        blobs.put_file(original_path(folder), digest=typed.sha256, move=True)
    blobs.put_file(parquet_path(folder), digest=typed.parquet_sha256, move=True)
    if typed.profile_sha256 is not None:
        blobs.put_file(profile_path(folder), digest=typed.profile_sha256, move=True)
