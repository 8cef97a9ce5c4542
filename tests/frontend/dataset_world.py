"""What the stand-in for the API knows about datasets beside their rows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.datasets.profile_schemas import ProfileOut, VersionDiff
from backend.datasets.schemas import DatasetOut, VersionOut
from backend.datasets.usage_schemas import UsageOut

NOW = datetime.now(UTC)


@dataclass
class Shelf:
    """Versions, profiles and uses of datasets."""

    versions: dict[int, list[VersionOut]] = field(default_factory=dict)
    """The newest first; of a dataset that is not here they are made up."""
    profiles: dict[tuple[int, int], list[ProfileOut]] = field(default_factory=dict)
    """What is answered one after the other; the last one stays."""
    usage: dict[int, UsageOut] = field(default_factory=dict)
    diffs: dict[tuple[int, int, int], VersionDiff] = field(default_factory=dict)
    """By dataset, the version before and the one after."""
    fields: list[dict[str, Any]] = field(default_factory=list)
    """What came along with each file, and what others asked for to be read."""
    tried_keys: list[str] = field(default_factory=list)
    """Of uploads, also of those that were refused."""
    queries: list[dict[str, str]] = field(default_factory=list)
    """Of the list."""
    links: list[tuple[int, int, str]] = field(default_factory=list)
    purged: list[int] = field(default_factory=list)

    def profile(self, number: int, version: int) -> ProfileOut | None:
        known = self.profiles.get((number, version))
        if known is None:
            return None
        return known.pop(0) if len(known) > 1 else known[0]


def make_dataset(number: int, name: str, owner: str, project: int, **more: Any) -> DatasetOut:
    values: dict[str, Any] = {
        "id": number,
        "name": name,
        "description": "",
        "project_id": project,
        "kind": "table",
        "latest_version": 1,
        "rows": 344,
        "columns": 9,
        "bytes": 15_241,
        "content_digest": "d" * 64,
        "fits": 0,
        "profile_state": "ready",
        "updated_at": NOW,
        "trashed_at": None,
        "warnings": [],
        "created_by": owner,
        "created_at": NOW - timedelta(minutes=7),
    }
    return DatasetOut.model_validate({**values, **more})


def make_version(dataset: DatasetOut, version: int, **more: Any) -> VersionOut:
    values: dict[str, Any] = {
        "version": version,
        "sha256": "e" * 64,
        "content_digest": "d" * 64,
        "rows": dataset.rows,
        "columns": dataset.columns,
        "bytes": dataset.bytes,
        "file_name": f"{dataset.name}.csv",
        "origin": "upload",
        "warnings": [],
        "created_by": dataset.created_by,
        "created_at": NOW,
    }
    return VersionOut.model_validate({**values, **more})


def no_use() -> UsageOut:
    return UsageOut(items=[], hidden=0, champions=0, frees_bytes=15_241, total_bytes=20_000)
