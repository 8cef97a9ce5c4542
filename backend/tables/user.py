"""People who sign in."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.access import Role
from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table


class User(Table):
    """One account; without a password it is entered by a one-time link, a provider or a token.

    A deleted account stays as a name: what it made, and the audit, still say who it was.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role in ('viewer', 'member', 'admin')", name="role"),
        CheckConstraint("kind in ('person', 'service')", name="kind"),
        Index(
            "uq_users_verified_email",
            # Of collation C: ASCII letters only, as `mail_key` does, in whatever locale.
            func.lower(text('email COLLATE "C"')),
            unique=True,
            postgresql_where=text("email_verified and deleted_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    username: Mapped[str]
    # NFKC and case folded: look-alike names are the same name. Never given again.
    username_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(default="person", server_default="person")
    display_name: Mapped[str] = mapped_column(default="", server_default="")
    email: Mapped[str | None]
    # By an administrator or a provider; what people write about themselves links no account.
    email_verified: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]

    @property
    def platform_role(self) -> Role:
        return Role(self.role)


class ExternalIdentity(Table):
    """An account at an OpenID provider that signs in to one of ours."""

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[BigId]
    user_id: Mapped[BigRef] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
