"""Who did what to which object, when and from where."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import BigId, CreatedAt, Table


class AuditEvent(Table):
    """One deed, written in its own transaction; a trigger refuses to change or delete it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("outcome in ('done', 'denied', 'failed')", name="outcome"),
        Index("ix_audit_events_actor", "actor_id", "id"),
        Index("ix_audit_events_object", "object_type", "object_id", "id"),
        Index("ix_audit_events_action", "action", "id"),
    )

    id: Mapped[BigId]
    at: Mapped[CreatedAt]
    # None: nobody was signed in, or the platform itself did it.
    actor_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    # As it was called then; of a failed sign-in the name that was tried, cut short.
    actor_name: Mapped[str]
    token_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str]
    outcome: Mapped[str]
    object_type: Mapped[str | None]
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    object_name: Mapped[str | None]
    project_id: Mapped[int | None] = mapped_column(BigInteger)
    address: Mapped[str | None]
    request_id: Mapped[str]
    details: Mapped[dict[str, Any]]
