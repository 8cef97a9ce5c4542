"""What can be done and noted; apart from the audit, so that the dashboard knows it without SQL."""

from enum import StrEnum
from typing import Literal

Outcome = Literal["done", "denied", "failed"]


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
