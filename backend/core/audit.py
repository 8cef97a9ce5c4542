"""The audit: one row for each deed, added in the transaction that does it.

`docs/audit.md` describes each action, which a test checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
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

Outcome = Literal["done", "denied", "failed"]
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


class Action(StrEnum):
    """What can be done, as `object.deed`."""

    USER_REGISTERED = "user.registered"
    USER_CREATED = "user.created"
    USER_INVITED = "user.invited"
    INVITATION_WITHDRAWN = "user.invitation_withdrawn"
    USER_UPDATED = "user.updated"
    ROLE_CHANGED = "user.role_changed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_DELETED = "user.deleted"
    PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  # a name, not a password
    PASSWORD_RESET = "user.password_reset"  # noqa: S105  # the same
    IDENTITY_LINKED = "user.identity_linked"
    SIGNED_IN = "session.opened"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.ended"
    SIGNED_OUT_EVERYWHERE = "session.all_ended"
    REFRESH_REUSED = "session.refresh_reused"
    TOKEN_CREATED = "token.created"  # noqa: S105  # a name, not a token
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  # the same
    PROJECT_CREATED = "project.created"
    PROJECT_UPDATED = "project.updated"
    PROJECT_ARCHIVED = "project.archived"
    PROJECT_UNARCHIVED = "project.unarchived"
    PROJECT_TRASHED = "project.trashed"
    MEMBER_SET = "project.member_set"
    MEMBER_REMOVED = "project.member_removed"
    PROJECT_TRANSFERRED = "project.transferred"
    DATASET_CREATED = "dataset.created"
    DATASET_VERSION_ADDED = "dataset.version_added"
    DATASET_DOWNLOADED = "dataset.downloaded"
    DATASET_UPDATED = "dataset.updated"
    DATASET_MOVED = "dataset.moved"
    DATASET_TRASHED = "dataset.trashed"
    FIT_STARTED = "fit.started"
    FIT_CANCELLED = "fit.cancelled"
    FIT_UPDATED = "fit.updated"
    FIT_MOVED = "fit.moved"
    FIT_TRASHED = "fit.trashed"
    MODEL_CREATED = "model.created"
    MODEL_VERSION_ADDED = "model.version_added"
    MODEL_UPDATED = "model.updated"
    MODEL_MOVED = "model.moved"
    MODEL_TRASHED = "model.trashed"
    ALIAS_SET = "model.alias_set"
    ALIAS_REMOVED = "model.alias_removed"
    ROLLED_BACK = "model.rolled_back"
    RETRAINING_STARTED = "retraining.started"
    RETRAINING_CANCELLED = "retraining.cancelled"
    RETRAINING_APPROVED = "retraining.approved"
    RETRAINING_REJECTED = "retraining.rejected"
    POLICY_SET = "retraining.policy_set"
    POLICY_REMOVED = "retraining.policy_removed"
    JOB_RETRIED = "job.retried"
    JOB_CANCELLED = "job.cancelled"
    ACCESS_DENIED = "access.denied"


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
