"""Sessions, their refresh tokens, one-time tickets and links, and counted sign-in attempts."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table


class SignInSession(Table):
    """One sign-in; a browser's session is the child of the sign-in whose ticket made it."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind in ('api', 'browser')", name="kind"),)

    id: Mapped[BigId]
    user_id: Mapped[BigRef] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    parent_id: Mapped[BigRef | None] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str]
    # Browser sessions only; an API session's tokens rotate and stand in refresh_tokens.
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    user_agent: Mapped[str | None]
    address: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]


class RefreshToken(Table):
    """A refresh token, used at most once; a second use revokes its session."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[BigRef] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[CreatedAt]
    used_at: Mapped[Instant | None]


class Ticket(Table):
    """Swapped once, within a minute, for a browser's cookie."""

    __tablename__ = "tickets"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[BigRef] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]


class SignInLink(Table):
    """A one-time link that signs its user in."""

    __tablename__ = "signin_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[BigRef] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]


class SignInAttempt(Table):
    """A failed password, counted per account name and per address, also for unknown names."""

    __tablename__ = "signin_attempts"
    __table_args__ = (
        Index("ix_signin_attempts_account", "account_key", "created_at"),
        Index("ix_signin_attempts_address", "address", "created_at"),
    )

    id: Mapped[BigId]
    account_key: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[CreatedAt]
