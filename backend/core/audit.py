"""The audit: one row for each deed, added in the transaction that does it.

`docs/audit.md` describes each action, which a test checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.actions import Action as Action
from backend.core.actions import Outcome as Outcome
from backend.core.logs import current_request_id
from backend.tables import (
    ApiToken,
    AuditEvent,
    Dataset,
    Fit,
    Model,
    Project,
    Retraining,
    SignInSession,
    Table,
    User,
)

# Whoever tries names that long is not worth more room.
LONGEST_NAME: Final = 200
OBJECT_TYPES: Final[Mapping[type[Table], str]] = MappingProxyType(
    {
        User: "user",
        SignInSession: "session",
        ApiToken: "token",
        Project: "project",
        Dataset: "dataset",
        Fit: "fit",
        Model: "model",
        Retraining: "retraining",
    }
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a deed was about, as it was called then."""

    type: str
    id: int | None = None
    name: str | None = None
    project_id: int | None = None


def about(row: Table) -> Subject:
    """The row of a table as a subject; it must have its id already."""
    name = getattr(row, "username", None) or getattr(row, "name", None)
    project_id = row.id if isinstance(row, Project) else getattr(row, "project_id", None)
    return Subject(OBJECT_TYPES[type(row)], getattr(row, "id"), name, project_id)  # noqa: B009  # not every table has one


def assign(row: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set the values; answers which of them are new, and the former name, or nothing at all."""
    before = {name: getattr(row, name) for name in values}
    changed = {name: value for name, value in values.items() if before[name] != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if not changed:
        return {}
    former = {"former_name": before["name"]} if "name" in changed else {}
    return {"fields": sorted(changed), **former}


def record(
    session: AsyncSession,
    viewer: Viewer | None,
    action: Action,
    subject: Subject | None = None,
    *,
    outcome: Outcome = "done",
    actor_name: str | None = None,
    address: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add the deed to the transaction; never with a password, a token or content of the data.

    `actor_name` and `address` stand for a viewer where nobody is signed in.
    """
    subject = subject or Subject("")
    name = actor_name if viewer is None else viewer.username
    session.add(
        AuditEvent(
            # The platform's own user has no row.
            actor_id=(viewer.user_id or None) if viewer else None,
            actor_name=(name or "nobody")[:LONGEST_NAME],
            token_id=viewer.token_id if viewer else None,
            action=action.value,
            outcome=outcome,
            object_type=subject.type or None,
            object_id=subject.id,
            object_name=subject.name[:LONGEST_NAME] if subject.name else None,
            project_id=subject.project_id,
            address=viewer.address if viewer else address,
            request_id=current_request_id(),
            details=dict(details or {}),
        )
    )
