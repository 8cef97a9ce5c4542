"""Registered models: immutable versions, and aliases that move between them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table
from backend.tables.dataset import Dataset
from backend.tables.fit import Fit
from backend.tables.user import User


class Model(Table):
    """A named series of versions in one project."""

    __tablename__ = "models"
    __table_args__ = (
        Index(
            "uq_models_project_name",
            "project_id",
            func.lower(text("name")),
            unique=True,
            postgresql_where=text("trashed_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    project_id: Mapped[BigRef] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    description: Mapped[str]
    # Names are global in MLflow's registry; a name once given is never given again.
    mlflow_name: Mapped[str] = mapped_column(unique=True)
    latest_version: Mapped[int]
    # Counts changes; MLflow's registry is behind while it mirrors an earlier one.
    revision: Mapped[int] = mapped_column(BigInteger, default=1)
    mirrored_revision: Mapped[int] = mapped_column(BigInteger, default=0)
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    trashed_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
    aliases: Mapped[list["ModelAlias"]] = relationship(
        lazy="raise", viewonly=True, order_by="ModelAlias.alias"
    )
    latest: Mapped["ModelVersion"] = relationship(
        primaryjoin=(
            "and_(Model.id == foreign(ModelVersion.model_id), "
            "Model.latest_version == foreign(ModelVersion.version))"
        ),
        lazy="raise",
        viewonly=True,
        uselist=False,
    )


class ModelVersion(Table):
    """A finished fit as a version of a model; a fit is at most one version of it."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model_id", "fit_id"),
        CheckConstraint("origin in ('fit', 'retraining')", name="origin"),
    )

    model_id: Mapped[BigRef] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True)
    fit_id: Mapped[BigRef] = mapped_column(ForeignKey("fits.id"), index=True)
    origin: Mapped[str]
    # The version's number in MLflow's registry, once it stands there.
    mlflow_version: Mapped[str | None]
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]

    fit: Mapped[Fit] = relationship(lazy="raise")
    creator: Mapped[User] = relationship(lazy="raise")
    model: Mapped[Model] = relationship(lazy="raise")


class ModelAlias(Table):
    """Where an alias points now."""

    __tablename__ = "model_aliases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_id", "version"],
            ["model_versions.model_id", "model_versions.version"],
            ondelete="CASCADE",
        ),
    )

    model_id: Mapped[BigRef] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]


class AliasChange(Table):
    """One move of an alias: who, when, why; never changed, never deleted."""

    __tablename__ = "alias_changes"
    __table_args__ = (
        CheckConstraint("kind in ('set', 'rollback', 'removed', 'retraining')", name="kind"),
        Index("ix_alias_changes_model_alias", "model_id", "alias", "id"),
    )

    id: Mapped[BigId]
    model_id: Mapped[BigRef] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    alias: Mapped[str]
    kind: Mapped[str]
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    reason: Mapped[str]
    changed_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[CreatedAt]

    author: Mapped[User] = relationship(lazy="raise")


class Retraining(Table):
    """One retraining: what was asked, where it stands, and the evidence for its end."""

    __tablename__ = "retrainings"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'promoted', 'rejected', 'waiting_for_approval', "
            "'failed', 'cancelled')",
            name="state",
        ),
        CheckConstraint("trigger in ('manual', 'schedule')", name="trigger"),
        Index("ix_retrainings_model_created", "model_id", "created_at"),
    )

    id: Mapped[BigId]
    model_id: Mapped[BigRef] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    trigger: Mapped[str]
    dataset_version_id: Mapped[BigRef] = mapped_column(ForeignKey("dataset_versions.id"))
    champion_version: Mapped[int]
    challenger_version: Mapped[int | None]
    # The challenger's own fit, an ordinary one.
    fit_id: Mapped[BigRef] = mapped_column(ForeignKey("fits.id"), unique=True)
    metric: Mapped[str]
    minimum_gain: Mapped[float]
    require_approval: Mapped[bool]

    state: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    progress_message: Mapped[str] = mapped_column(default="Waiting for a worker")
    attempt: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None]
    evidence: Mapped[dict[str, Any] | None]
    decision_reason: Mapped[str | None]
    decided_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))

    requested_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Instant | None]

    model: Mapped[Model] = relationship(lazy="raise")
    fit: Mapped[Fit] = relationship(lazy="raise")
    requester: Mapped[User] = relationship(lazy="raise", foreign_keys=[requested_by])
    decider: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[decided_by])


class RetrainingPolicy(Table):
    """When and how a model is retrained without anybody asking."""

    __tablename__ = "retraining_policies"

    model_id: Mapped[BigRef] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    # Its latest version at the moment of the run is what the challenger learns from.
    dataset_id: Mapped[BigRef] = mapped_column(ForeignKey("datasets.id"))
    schedule: Mapped[str | None]
    timezone: Mapped[str]
    metric: Mapped[str | None]
    minimum_gain: Mapped[float]
    require_approval: Mapped[bool]
    next_run_at: Mapped[Instant | None] = mapped_column(index=True)
    # Why the last due run did not start; None when it did.
    last_problem: Mapped[str | None]
    updated_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[CreatedAt]

    author: Mapped[User] = relationship(lazy="raise")
    dataset: Mapped[Dataset] = relationship(lazy="raise")
