"""What depends on a dataset, what its deletion would do, and links to its files."""

from typing import Literal

from pydantic import Field

from backend.core.schemas import Schema, Timestamp
from backend.datasets.schemas import DownloadFormat


class UseOut(Schema):
    """One thing that a version was used for, in a project that the caller may read."""

    # A policy retrains a model again and again, with what is the latest version then.
    kind: Literal["fit", "model_version", "retraining", "retraining_policy", "dataset"]
    # Of the fit, the model (also of a policy), the retraining, or the dataset made with it.
    id: int
    name: str
    # The version that was used.
    version: int
    # Of the model, or of the dataset that was made with it.
    made_version: int | None = None
    state: str | None = None
    aliases: list[str] = Field(default_factory=list)
    project_id: int
    created_by: str
    created_at: Timestamp


class UsageOut(Schema):
    """Where a dataset was used, and what its deletion would mean."""

    # The newest first, a thousand at most.
    items: list[UseOut]
    # Readable ones beyond those.
    unlisted: int = 0
    # Things in projects that the caller may not read.
    hidden: int
    # Champions that depend on it; while there is one it cannot be deleted.
    champions: int
    # What a purge would free: content that no other version shares.
    frees_bytes: int
    # All bytes that its versions name.
    total_bytes: int


class LinkCreate(Schema):
    """A link to one version's file."""

    format: DownloadFormat = "original"


class LinkOut(Schema):
    """An address that needs no sign-in, for a short time."""

    url: str
    expires_at: Timestamp


class PurgeOut(Schema):
    """What was freed."""

    freed_bytes: int
