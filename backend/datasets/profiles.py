"""The profile of a version: what is stored of it, and asking for it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.errors import FieldProblem, Unprocessable
from backend.datasets.profile_queue import enqueue_profile
from backend.datasets.profile_schemas import (
    Association,
    ColumnOut,
    ColumnWarning,
    ImageProfile,
    ProfileOut,
    SuggestedTarget,
    WarningKind,
)
from backend.datasets.repository import VersionRepository
from backend.datasets.service import writable_dataset
from backend.science.column_types import IMAGE, ColumnDescription
from backend.storage.blobs import BlobStore
from backend.tables import DatasetVersion

# The worst first.
SEVERITY: Final[Sequence[WarningKind]] = (
    "leak",
    "empty",
    "infinite",
    "missing",
    "constant",
    "id_like",
    "imbalance",
    "outliers",
    "skew",
    "high_cardinality",
)


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """What a process that works on tables is told about a version."""

    version: int
    parquet_sha256: str
    content_digest: str
    rows: int
    columns: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, row: DatasetVersion) -> "ComparedVersion":
        """Apart from the session that it was read in."""
        return cls(row.version, row.parquet_sha256, row.content_digest, row.rows, row.columns)

    @property
    def described(self) -> list[ColumnDescription]:
        """Its columns."""
        return [ColumnDescription(**column) for column in self.columns]


@dataclass(frozen=True, slots=True)
class TargetAssociation:
    """How one column goes along with the target."""

    association: Association
    leak: ColumnWarning | None


def check_target(row: DatasetVersion, target: str) -> None:
    """Refuse what is no column to predict.

    Raises
    ------
    Unprocessable
        There is no such column, or it holds images.
    """
    types = {column["name"]: column["type"] for column in row.columns}
    if target in types and types[target] != IMAGE:
        return
    message = "holds images, which are no target" if target in types else "there is no such column"
    problem = FieldProblem(loc=["query", "target"], msg=message, type="unknown_column")
    raise Unprocessable(f"{target[:200]}: {message}.", errors=[problem])


def read_stored(blobs: BlobStore, row: DatasetVersion) -> dict[str, Any] | None:
    """The computed part of a profile; None while it is not ready. Blocking."""
    profile = row.profile
    if profile is None or profile.state != "ready" or profile.sha256 is None:
        return None
    stored: dict[str, Any] = json.loads(blobs.read(profile.sha256))
    return stored


def profile_out(
    row: DatasetVersion,
    stored: Mapping[str, Any] | None,
    target: str | None = None,
    associations: Mapping[str, TargetAssociation] | None = None,
) -> ProfileOut:
    """What is known, as it is answered; what is worth a warning comes first.

    Parameters
    ----------
    stored
        As `read_stored` has it.
    associations
        With the target, by column.
    """
    stored, associations = stored or {}, associations or {}
    computed = {column["name"]: column for column in stored.get("columns", ())}
    columns = [
        _column(column, computed.get(column["name"], {}), associations.get(column["name"]))
        for column in row.columns
    ]
    images, profile = stored.get("images"), row.profile
    guess = row.suggested_target
    return ProfileOut(
        rows=row.rows,
        columns=columns,
        suggested_target=None if guess is None else SuggestedTarget.model_validate(guess),
        state=row.profile_state,
        progress=0.0 if profile is None else profile.progress,
        message="" if profile is None else profile.error or profile.progress_message,
        target=target,
        warnings=_warnings(row, columns, stored),
        doubts=row.doubts,
        duplicate_rows=stored.get("duplicate_rows"),
        images=None if images is None else ImageProfile.model_validate(images),
    )


def _column(
    described: Mapping[str, Any],
    computed: Mapping[str, Any],
    with_target: TargetAssociation | None,
) -> ColumnOut:
    column = ColumnOut.model_validate({**described, **computed})
    if with_target is not None:
        column.association = with_target.association
        if with_target.leak is not None:
            column.warnings.insert(0, with_target.leak)
    return column


def _warnings(
    row: DatasetVersion, columns: Sequence[ColumnOut], stored: Mapping[str, Any]
) -> list[str]:
    """Doubts, then what is odd about columns, then about rows."""
    found = [(warning, column.name) for column in columns for warning in column.warnings]
    found.sort(key=lambda one: SEVERITY.index(one[0].kind))
    about_columns = [f"{name}: {warning.message}" for warning, name in found]
    about_images = [f"label: {warning['message']}" for warning in stored.get("warnings", ())]
    copies = stored.get("duplicate_rows") or 0
    about_rows = [f"{copies:,} rows are copies of others"] if copies > 1 else []
    about_rows = ["one row is a copy of another"] if copies == 1 else about_rows
    # A reader may have warned of the same.
    return list(dict.fromkeys([*row.warnings, *about_images, *about_columns, *about_rows]))


async def request_profile(
    session: AsyncSession, viewer: Viewer, dataset_id: int, version: int
) -> DatasetVersion:
    """Queue a failed profile again; any other stays as it is."""
    dataset = await writable_dataset(session, viewer, dataset_id)
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    profile = row.profile
    if profile is None:
        return row
    await session.refresh(profile, with_for_update=True)
    if profile.state != "failed":
        return row
    profile.state, profile.error = "queued", None
    profile.attempt, profile.progress, profile.progress_message = 0, 0.0, ""
    profile.changed_at = func.now()
    details = {"version": version}
    audit.record(session, viewer, Action.DATASET_PROFILED, about(dataset), details=details)
    await session.flush()
    await enqueue_profile(session, row.id)
    return row
