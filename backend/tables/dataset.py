"""Datasets and their immutable versions."""

from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table
from backend.tables.user import User

# Before a content digest of an earlier release, until the profile's job computed it anew.
OLD_DIGEST: Final = "v1:"
_NONE: Final = text("'[]'")


class Dataset(Table):
    """A named series of versions in one project."""

    __tablename__ = "datasets"
    __table_args__ = (CheckConstraint("kind in ('table', 'image')", name="kind"),)

    id: Mapped[BigId]
    project_id: Mapped[BigRef] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    kind: Mapped[str]
    latest_version: Mapped[int]
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]
    trashed_at: Mapped[Instant | None]
    # Its files are gone; what remains says where fits came from.
    purged_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
    latest: Mapped["DatasetVersion"] = relationship(
        primaryjoin=(
            "and_(Dataset.id == foreign(DatasetVersion.dataset_id), "
            "Dataset.latest_version == foreign(DatasetVersion.version))"
        ),
        lazy="raise",
        viewonly=True,
        uselist=False,
    )


class DatasetVersion(Table):
    """One upload: the original bytes and their typed form, both by content address."""

    __tablename__ = "dataset_versions"
    __table_args__ = (
        UniqueConstraint("dataset_id", "version"),
        CheckConstraint("origin in ('upload', 'recipe', 'inline')", name="origin"),
    )

    id: Mapped[BigId]
    dataset_id: Mapped[BigRef] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    version: Mapped[int]
    origin: Mapped[str]
    file_name: Mapped[str]
    # sha256 of the bytes as uploaded, and their key in the blob store.
    sha256: Mapped[str]
    # Key of the typed Parquet file in the blob store.
    parquet_sha256: Mapped[str]
    # sha256 of the typed content: equal for equal tables whatever the file format, unless one of
    # them begins with OLD_DIGEST.
    content_digest: Mapped[str]
    # Rows of a table, or images; an image's row holds its bytes and its label.
    rows: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]]]
    # Apart from the descriptions, which lists do not load.
    column_count: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    suggested_target: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[str]]
    # What each column seems to be and is not quite, with the step that would mend it.
    doubts: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_NONE)
    # How an upload was read: format, compression, encoding, delimiter, sheet.
    source: Mapped[dict[str, Any] | None]
    # The steps that made it from its parent, where it was not uploaded.
    recipe: Mapped[list[dict[str, Any]] | None]
    parent_version: Mapped[int | None]
    # The version whose recipe was applied again.
    replay_of: Mapped[int | None]
    # Versions of other datasets that a step joined, as dataset_id and version.
    inputs: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_NONE)
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]

    creator: Mapped[User] = relationship(lazy="raise")
    # None where the previous release made the version; a chore queues it.
    profile: Mapped["DatasetProfile | None"] = relationship(lazy="raise", back_populates="version")

    @property
    def profile_state(self) -> str:
        """How far the profile is."""
        return "queued" if self.profile is None else self.profile.state


class DatasetProfile(Table):
    """What is computed about a version after it is stored: the one thing of it that comes later."""

    __tablename__ = "dataset_profiles"
    __table_args__ = (
        CheckConstraint("state in ('queued', 'running', 'ready', 'failed')", name="state"),
    )

    dataset_version_id: Mapped[BigRef] = mapped_column(
        ForeignKey("dataset_versions.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str]
    progress: Mapped[float] = mapped_column(default=0.0)
    progress_message: Mapped[str] = mapped_column(default="")
    # Counts claims: only the holder of the newest may write.
    attempt: Mapped[int] = mapped_column(default=0)
    # Key of the profile (JSON) in the blob store, once it is ready.
    sha256: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[CreatedAt]

    version: Mapped[DatasetVersion] = relationship(lazy="raise", back_populates="profile")
