"""Sessions, tokens, one-time tickets and links, sign-ins under way, and counted attempts."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
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
    """A one-time link: signs in, or lets an invited or forgetful user set a password."""

    __tablename__ = "signin_links"
    __table_args__ = (
        CheckConstraint("purpose in ('sign_in', 'invitation', 'password_reset')", name="purpose"),
    )

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[BigRef] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(default="sign_in", server_default="sign_in")
    created_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]


class ApiToken(Table):
    """A personal token for programs, or one of a service account; its text is shown once."""

    __tablename__ = "api_tokens"
    __table_args__ = (CheckConstraint("scope in ('predict', 'read', 'write')", name="scope"),)

    id: Mapped[BigId]
    user_id: Mapped[BigRef] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    # The first letters of the text: enough to recognise it, too few to guess it.
    hint: Mapped[str]
    scope: Mapped[str]
    # Where it is set, the token reaches this project alone.
    project_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant | None]
    last_used_at: Mapped[Instant | None]
    last_address: Mapped[str | None]
    revoked_at: Mapped[Instant | None]


class OidcFlow(Table):
    """A sign-in that is under way at the provider; used once, within minutes."""

    __tablename__ = "oidc_flows"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str]
    code_verifier: Mapped[str]
    # The page of the dashboard that was asked for.
    wanted: Mapped[str]
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
