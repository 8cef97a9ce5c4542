"""Datasets and their immutable versions."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table
from backend.tables.user import User


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
    # sha256 of the typed content: equal for equal tables whatever the file format.
    content_digest: Mapped[str]
    # Rows of a table, or images; an image's row holds its bytes and its label.
    rows: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]]]
    # Apart from the descriptions, which lists do not load.
    column_count: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    suggested_target: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[str]]
    # The steps that made it from its parent, where it was not uploaded.
    recipe: Mapped[list[dict[str, Any]] | None]
    parent_version: Mapped[int | None]
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
