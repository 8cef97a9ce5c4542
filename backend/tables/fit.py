"""Fits: what was asked, where it stands, and what came out."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table
from backend.tables.dataset import Dataset, DatasetVersion
from backend.tables.user import User


class Fit(Table):
    """One fit of one estimator on one dataset version."""

    __tablename__ = "fits"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"
        ),
        CheckConstraint("tracking in ('pending', 'recorded')", name="tracking"),
        Index("ix_fits_project_created", "project_id", "created_at"),
        Index("ix_fits_creator_created", "created_by", "created_at"),
        Index("ix_fits_moved", "id", postgresql_where=text("moves <> withdrawn_moves")),
    )

    id: Mapped[BigId]
    project_id: Mapped[BigRef] = mapped_column(ForeignKey("projects.id"))
    dataset_id: Mapped[BigRef] = mapped_column(ForeignKey("datasets.id"), index=True)
    dataset_version_id: Mapped[BigRef] = mapped_column(ForeignKey("dataset_versions.id"))
    name: Mapped[str]
    tags: Mapped[dict[str, Any]]
    # The validated FitSpec of science/spec.py: target, features, estimator, params, validation.
    spec: Mapped[dict[str, Any]]
    estimator: Mapped[str]
    target: Mapped[str]

    state: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    progress_message: Mapped[str] = mapped_column(default="Waiting for a worker")
    # Counts claims and fences them: only the holder of the newest attempt may write.
    attempt: Mapped[int] = mapped_column(default=0)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    # Attempts that ended without a word: a worker or a process was lost.
    lost_attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None]
    # The job that is queued when the fit ends, however it ends; it gets the fit's id.
    continuation: Mapped[str | None]
    # Rows that it must not learn from: the hold-out on which it will be compared.
    withheld: Mapped[dict[str, Any] | None]

    task: Mapped[str | None]
    features: Mapped[list[str] | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    baseline_metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Everything else that the fit said: excluded columns, warnings, rows, schema.
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    # Blob keys (sha256) of what the fit left: model, holdout, plots.
    artifacts: Mapped[dict[str, Any]] = mapped_column(default=dict)

    tracking: Mapped[str] = mapped_column(default="pending")
    mlflow_run_id: Mapped[str | None]
    mlflow_experiment_id: Mapped[str | None]
    # Counts moves between projects; runs may stand in an earlier one while fewer are withdrawn.
    moves: Mapped[int] = mapped_column(default=0, server_default="0")
    withdrawn_moves: Mapped[int] = mapped_column(default=0, server_default="0")

    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    trashed_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
    dataset: Mapped[Dataset] = relationship(lazy="raise")
    dataset_version: Mapped[DatasetVersion] = relationship(lazy="raise")
