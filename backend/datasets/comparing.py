"""Work on the tables of versions that somebody waits for: associations, and what changed.

Runs in a process that works on tables, not in the API's.
"""

from contextlib import ExitStack
from pathlib import Path

from backend.datasets.profile_schemas import (
    Association,
    ColumnDiff,
    ColumnWarning,
    VersionDiff,
)
from backend.datasets.profiles import ComparedVersion, TargetAssociation
from backend.science.column_types import ColumnDescription
from backend.science.profiles.associations import associate
from backend.science.profiles.diff import ColumnChange, Side, compare_tables
from backend.science.tables.digest import content_digest
from backend.storage.blobs import BlobStore
from backend.tables.dataset import OLD_DIGEST


def associations_with(
    files_url: str, folder: Path, version: ComparedVersion, target: str
) -> dict[str, TargetAssociation]:
    """By column; those without one are left out."""
    with BlobStore(files_url).local(version.parquet_sha256, folder) as path:
        found = associate(path, version.described, target)
    return {
        name: TargetAssociation(
            Association(kind=one.kind, value=one.value, pairs=one.pairs),
            None if one.leak is None else ColumnWarning(kind="leak", message=one.leak.message),
        )
        for name, one in found.items()
        if one is not None
    }


def compare_versions(
    files_url: str, folder: Path, before: ComparedVersion, after: ComparedVersion
) -> VersionDiff:
    """What changed from one version to the other."""
    blobs = BlobStore(files_url)
    with ExitStack() as stack:
        old, new = (
            Side(stack.enter_context(blobs.local(one.parquet_sha256, folder)), one.described)
            for one in (before, after)
        )
        found = compare_tables(old, new)
        same_content = _digest(before, old.path) == _digest(after, new.path)
    return VersionDiff(
        before=before.version,
        after=after.version,
        same_content=same_content,
        rows_before=before.rows,
        rows_after=after.rows,
        rows_only_before=found.rows_only_before,
        rows_only_after=found.rows_only_after,
        columns=[_column(change) for change in found.columns],
    )


def _digest(version: ComparedVersion, path: Path) -> str:
    """Of today's algorithm, also where the version has one of old."""
    known = version.content_digest
    return content_digest(path) if known.startswith(OLD_DIGEST) else known


def _column(change: ColumnChange) -> ColumnDiff:
    before, after, shift = change.before, change.after, change.shift
    return ColumnDiff(
        name=change.name,
        change=change.change,
        type_before=before and before.type,
        type_after=after and after.type,
        role_before=before and before.role,
        role_after=after and after.role,
        nulls_before=before and before.nulls,
        nulls_after=after and after.nulls,
        mean_before=shift.mean_before,
        mean_after=shift.mean_after,
        distinct_before=_counted(change.distinct_before, before),
        distinct_after=_counted(change.distinct_after, after),
        shift=shift.distance,
        verdict=shift.verdict,
        categories_added=shift.added,
        categories_gone=shift.gone,
    )


def _counted(distinct: int | None, column: ColumnDescription | None) -> int | None:
    """As it was counted just now, else when the version was stored."""
    return column.distinct if distinct is None and column is not None else distinct
