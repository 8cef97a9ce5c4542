"""What the audit routes take and answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.actions import Action, Outcome
from backend.core.schemas import Schema, Timestamp


class AuditEventOut(Schema):
    """One deed: who did what to which object, when and from where."""

    id: int
    at: Timestamp
    actor_id: int | None
    actor_name: str
    token_id: int | None
    action: str
    outcome: Outcome
    object_type: str | None
    object_id: int | None
    object_name: str | None
    project_id: int | None
    address: str | None
    request_id: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which deeds are asked for."""

    actor: str | None = None
    action: Action | None = None
    outcome: Outcome | None = None
    object_type: str | None = None
    object_id: int | None = None
    project_id: int | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None
