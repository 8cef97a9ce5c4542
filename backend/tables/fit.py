"""Fits: what was asked, where it stands, and what came out."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from backend.tables.base import BigId, BigRef, CreatedAt, Instant, Table
from backend.tables.dataset import Dataset, DatasetVersion
from backend.tables.user import User

_EMPTY = text("'{}'::jsonb")
_SECONDS = "(extract(epoch from finished_at - started_at)::double precision)"
_MAIN_METRIC = "((metrics ->> main_metric)::double precision)"


class Leaderboard(Table):
    """Several estimators tried on the same rows within one time budget."""

    __tablename__ = "leaderboards"
    __table_args__ = (
        CheckConstraint("state in ('running', 'finished', 'cancelled')", name="state"),
        Index("ix_leaderboards_project_created", "project_id", "created_at"),
        # Looked at each second: few of many.
        Index("ix_leaderboards_running", "id", postgresql_where=text("state = 'running'")),
    )

    id: Mapped[BigId]
    project_id: Mapped[BigRef] = mapped_column(ForeignKey("projects.id"))
    dataset_id: Mapped[BigRef] = mapped_column(ForeignKey("datasets.id"), index=True)
    dataset_version_id: Mapped[BigRef] = mapped_column(ForeignKey("dataset_versions.id"))
    name: Mapped[str]
    target: Mapped[str]
    # What was asked: estimators, presets, validation, main metric, preprocessing.
    request: Mapped[dict[str, Any]]
    main_metric: Mapped[str]
    budget_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(default="running")
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    # When its first fit started: the budget counts from here.
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    trashed_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
    dataset: Mapped[Dataset] = relationship(lazy="raise")
    dataset_version: Mapped[DatasetVersion] = relationship(lazy="raise")


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
        # Lists of a project in each of their orders.
        Index("ix_fits_project_name", "project_id", "name", "id"),
        Index("ix_fits_project_estimator", "project_id", "estimator", "id"),
        Index("ix_fits_project_started", "project_id", "started_at", "id"),
        Index("ix_fits_project_finished", "project_id", "finished_at", "id"),
        Index("ix_fits_project_seconds", "project_id", text(_SECONDS), "id"),
        Index("ix_fits_project_main_metric", "project_id", text(_MAIN_METRIC), "id"),
        # Similar fits, the newest first, for how long one will take.
        Index(
            "ix_fits_estimator_succeeded",
            "estimator",
            "id",
            postgresql_where=text("state = 'succeeded'"),
        ),
        Index("ix_fits_moved", "id", postgresql_where=text("moves <> withdrawn_moves")),
        # The queue: what waits or runs, few rows of many.
        Index(
            "ix_fits_unfinished",
            "created_by",
            "id",
            postgresql_where=text("state in ('queued', 'running')"),
        ),
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
    # The request that asked for it: the worker's log lines carry it on.
    request_id: Mapped[str | None]
    # Higher goes first; only administrators raise it.
    priority: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    # The database's time at which the worker last showed that it works on this; none while queued.
    heartbeat_at: Mapped[Instant | None]
    # After a lost attempt the next one waits until then.
    not_before: Mapped[Instant | None]
    # The name of the worker that holds the newest attempt.
    worker: Mapped[str | None]
    # Asked for by the user; none for those of the settings.
    time_limit_seconds: Mapped[int | None]
    memory_limit_bytes: Mapped[int | None] = mapped_column(BigInteger)
    # From similar fits when it was asked for; none without any.
    estimated_seconds: Mapped[float | None]
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    # Attempts that ended without a word: a worker or a process was lost.
    lost_attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None]
    # The job that is queued when the fit ends, however it ends; it gets the fit's id.
    continuation: Mapped[str | None]
    # Rows that it must not learn from: the hold-out on which it will be compared.
    withheld: Mapped[dict[str, Any] | None]
    # Blob key of the split of another fit that is used again.
    split_sha256: Mapped[str | None]
    rerun_of: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("fits.id", ondelete="SET NULL"), index=True
    )
    leaderboard_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("leaderboards.id", ondelete="SET NULL"), index=True
    )

    task: Mapped[str | None]
    features: Mapped[list[str] | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    baseline_metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The name of the metric that ranks the fit, once it has succeeded.
    main_metric: Mapped[str | None]
    # Python, platform and library versions, digest of the data, seed.
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    # Everything else that the fit said: excluded columns, warnings, rows, schema.
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Of the outcome, which is large: lists show this of fifty fits at a time.
    metric_spread: Mapped[dict[str, Any] | None] = mapped_column(
        Computed("outcome -> 'metric_spread'", persisted=True), deferred=True
    )
    warnings: Mapped[list[str]] = mapped_column(default=list)
    # Blob keys (sha256) of what the fit left: model, holdout, plots.
    artifacts: Mapped[dict[str, Any]] = mapped_column(default=dict)

    tracking: Mapped[str] = mapped_column(default="pending")
    mlflow_run_id: Mapped[str | None]
    mlflow_experiment_id: Mapped[str | None]
    # Counts moves between projects; runs may stand in an earlier one while fewer are withdrawn.
    moves: Mapped[int] = mapped_column(default=0, server_default="0")
    withdrawn_moves: Mapped[int] = mapped_column(default=0, server_default="0")

    # Markdown of the people who work with it.
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    archived_at: Mapped[Instant | None]
    trashed_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
    dataset: Mapped[Dataset] = relationship(lazy="raise")
    dataset_version: Mapped[DatasetVersion] = relationship(lazy="raise")
    # Whether who asks has marked it; none where the statement does not say.
    starred: Mapped[bool | None] = query_expression()


class FitMetric(Table):
    """One metric of a finished fit, apart from the fit so that lists sort by any of them."""

    __tablename__ = "fit_metrics"
    __table_args__ = (Index("ix_fit_metrics_order", "project_id", "name", "value", "fit_id"),)

    fit_id: Mapped[BigRef] = mapped_column(
        ForeignKey("fits.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    # As the fit's own; a moved fit takes it along.
    project_id: Mapped[BigRef]


class FitEvent(Table):
    """What a fit told while it ran: changes of state, log lines, scores."""

    __tablename__ = "fit_events"
    __table_args__ = (
        CheckConstraint("kind in ('state', 'log', 'metrics', 'trial')", name="kind"),
        Index("ix_fit_events_fit", "fit_id", "id"),
    )

    id: Mapped[BigId]
    fit_id: Mapped[BigRef] = mapped_column(ForeignKey("fits.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    kind: Mapped[str]
    content: Mapped[dict[str, Any]]
    at: Mapped[CreatedAt]


class FitTrial(Table):
    """One combination of parameters that a search tried."""

    __tablename__ = "fit_trials"
    __table_args__ = (
        CheckConstraint("state in ('running', 'scored', 'pruned', 'failed')", name="state"),
    )

    fit_id: Mapped[BigRef] = mapped_column(
        ForeignKey("fits.id", ondelete="CASCADE"), primary_key=True
    )
    attempt: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    params: Mapped[dict[str, Any]]
    state: Mapped[str]
    # Mean of the main metric over the inner folds.
    score: Mapped[float | None]
    spread: Mapped[float | None]
    seconds: Mapped[float | None]
    message: Mapped[str | None]


class FitStar(Table):
    """A fit that somebody marked for themselves."""

    __tablename__ = "fit_stars"

    user_id: Mapped[BigRef] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    fit_id: Mapped[BigRef] = mapped_column(
        ForeignKey("fits.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Reproduction(Table):
    """A fit run a second time to see whether the same numbers come out."""

    __tablename__ = "fit_reproductions"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'identical', 'different', 'failed', 'cancelled')",
            name="state",
        ),
        Index("ix_fit_reproductions_fit", "fit_id", "id"),
    )

    id: Mapped[BigId]
    fit_id: Mapped[BigRef] = mapped_column(ForeignKey("fits.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    progress_message: Mapped[str] = mapped_column(default="Waiting for a worker")
    # Counts claims: only the holder of the newest may write.
    attempt: Mapped[int] = mapped_column(default=0)
    # What differs, as {what, then, now}.
    differences: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[BigRef] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Instant | None]

    creator: Mapped[User] = relationship(lazy="raise")
