"""All tables; importing this package fills the one metadata."""

from backend.tables.audit import AuditEvent
from backend.tables.base import Table
from backend.tables.dataset import Dataset, DatasetProfile, DatasetVersion
from backend.tables.fit import Fit
from backend.tables.idempotency import IdempotencyKey
from backend.tables.model import (
    AliasChange,
    Model,
    ModelAlias,
    ModelVersion,
    Retraining,
    RetrainingPolicy,
)
from backend.tables.project import Project, ProjectMember
from backend.tables.signin import (
    ApiToken,
    OidcFlow,
    RefreshToken,
    SignInAttempt,
    SignInLink,
    SignInSession,
    Ticket,
)
from backend.tables.user import ExternalIdentity, User

__all__ = [
    "AliasChange",
    "ApiToken",
    "AuditEvent",
    "Dataset",
    "DatasetProfile",
    "DatasetVersion",
    "ExternalIdentity",
    "Fit",
    "IdempotencyKey",
    "Model",
    "ModelAlias",
    "ModelVersion",
    "OidcFlow",
    "Project",
    "ProjectMember",
    "RefreshToken",
    "Retraining",
    "RetrainingPolicy",
    "SignInAttempt",
    "SignInLink",
    "SignInSession",
    "Table",
    "Ticket",
    "User",
]
