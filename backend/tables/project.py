"""Projects, the unit of sharing, and their members."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table


class Project(Table):
    """Holds datasets, fits and models; everybody has one personal project."""

    __tablename__ = "projects"
    __table_args__ = (
        Index(
            "uq_projects_personal_owner",
            "created_by",
            unique=True,
            postgresql_where=text("personal and trashed_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="", server_default="")
    slug: Mapped[str] = mapped_column(unique=True)
    personal: Mapped[bool]
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    # Archived: everything in it can be read, nothing changed.
    archived_at: Mapped[Instant | None]
    trashed_at: Mapped[Instant | None]
    # Counts changes of the members; MLflow's permissions are behind while they mirror an earlier.
    revision: Mapped[int] = mapped_column(BigInteger, default=1, server_default="1")
    mirrored_revision: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class ProjectMember(Table):
    """One person's role in one project."""

    __tablename__ = "project_members"
    __table_args__ = (CheckConstraint("role in ('owner', 'editor', 'viewer')", name="role"),)

    project_id: Mapped[BigRef] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[BigRef] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str]
    created_at: Mapped[CreatedAt]
