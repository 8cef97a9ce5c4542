"""Projects, the unit of sharing, and their members."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import BigId, BigRef, CreatedAt, Table


class Project(Table):
    """Holds datasets and fits; everybody has one personal project."""

    __tablename__ = "projects"
    __table_args__ = (
        Index(
            "uq_projects_personal_owner",
            "created_by",
            unique=True,
            postgresql_where=text("personal"),
        ),
    )

    id: Mapped[BigId]
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    personal: Mapped[bool]
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]


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
