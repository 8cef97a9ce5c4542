"""People who sign in."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.access import Role
from backend.tables.base import BigId, CreatedAt, Instant, Table


class User(Table):
    """One account; without a password it can only be entered by a one-time link."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role in ('viewer', 'member', 'admin')", name="role"),)

    id: Mapped[BigId]
    username: Mapped[str]
    # NFKC and case folded: look-alike names are the same name.
    username_key: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[Instant | None]

    @property
    def platform_role(self) -> Role:
        return Role(self.role)
