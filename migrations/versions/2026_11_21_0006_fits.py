"""Fits: queue, events, metrics, trials, leaderboards, reproductions, stars, notes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LIST_INDEXES = {
    "name": "name",
    "estimator": "estimator",
    "started": "started_at",
    "finished": "finished_at",
    "seconds": "(extract(epoch from finished_at - started_at)::double precision)",
    "main_metric": "((metrics ->> main_metric)::double precision)",
}


def upgrade() -> None:
    op.create_table(
        "leaderboards",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("dataset_id", sa.BigInteger(), nullable=False),
        sa.Column("dataset_version_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("main_metric", sa.String(), nullable=False),
        sa.Column("budget_seconds", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trashed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('running', 'finished', 'cancelled')", name=op.f("ck_leaderboards_state")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_leaderboards_created_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_leaderboards_dataset_id_datasets")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"],
            ["dataset_versions.id"],
            name=op.f("fk_leaderboards_dataset_version_id_dataset_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_leaderboards_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leaderboards")),
    )
    op.create_index(
        op.f("ix_leaderboards_dataset_id"), "leaderboards", ["dataset_id"], unique=False
    )
    op.create_index(
        "ix_leaderboards_running",
        "leaderboards",
        ["id"],
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_leaderboards_project_created",
        "leaderboards",
        ["project_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "fit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("fit_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('state', 'log', 'metrics', 'trial')", name=op.f("ck_fit_events_kind")
        ),
        sa.ForeignKeyConstraint(
            ["fit_id"], ["fits.id"], name=op.f("fk_fit_events_fit_id_fits"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fit_events")),
    )
    op.create_index("ix_fit_events_fit", "fit_events", ["fit_id", "id"], unique=False)
    op.create_table(
        "fit_metrics",
        sa.Column("fit_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fit_id"], ["fits.id"], name=op.f("fk_fit_metrics_fit_id_fits"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fit_id", "name", name=op.f("pk_fit_metrics")),
    )
    op.create_index(
        "ix_fit_metrics_order",
        "fit_metrics",
        ["project_id", "name", "value", "fit_id"],
        unique=False,
    )
    op.create_table(
        "fit_reproductions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("fit_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("progress_message", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("environment", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'identical', 'different', 'failed', 'cancelled')",
            name=op.f("ck_fit_reproductions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_fit_reproductions_created_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["fit_id"],
            ["fits.id"],
            name=op.f("fk_fit_reproductions_fit_id_fits"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fit_reproductions")),
    )
    op.create_index("ix_fit_reproductions_fit", "fit_reproductions", ["fit_id", "id"], unique=False)
    op.create_table(
        "fit_stars",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("fit_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fit_id"], ["fits.id"], name=op.f("fk_fit_stars_fit_id_fits"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_fit_stars_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "fit_id", name=op.f("pk_fit_stars")),
    )
    op.create_index(op.f("ix_fit_stars_fit_id"), "fit_stars", ["fit_id"], unique=False)
    op.create_table(
        "fit_trials",
        sa.Column("fit_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("spread", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state in ('running', 'scored', 'pruned', 'failed')", name=op.f("ck_fit_trials_state")
        ),
        sa.ForeignKeyConstraint(
            ["fit_id"], ["fits.id"], name=op.f("fk_fit_trials_fit_id_fits"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fit_id", "attempt", "number", name=op.f("pk_fit_trials")),
    )
    op.add_column(
        "fits", sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column("fits", sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("fits", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("fits", sa.Column("request_id", sa.String(), nullable=True))
    op.add_column("fits", sa.Column("worker", sa.String(), nullable=True))
    op.add_column("fits", sa.Column("time_limit_seconds", sa.Integer(), nullable=True))
    op.add_column("fits", sa.Column("memory_limit_bytes", sa.BigInteger(), nullable=True))
    op.add_column("fits", sa.Column("estimated_seconds", sa.Double(), nullable=True))
    op.add_column("fits", sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("fits", sa.Column("split_sha256", sa.String(), nullable=True))
    op.add_column("fits", sa.Column("rerun_of", sa.BigInteger(), nullable=True))
    op.add_column("fits", sa.Column("leaderboard_id", sa.BigInteger(), nullable=True))
    op.add_column("fits", sa.Column("main_metric", sa.String(), nullable=True))
    op.add_column(
        "fits",
        sa.Column(
            "environment",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("fits", sa.Column("notes", sa.Text(), server_default="", nullable=False))
    op.add_column("fits", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_fits_leaderboard_id"), "fits", ["leaderboard_id"], unique=False)
    op.create_index(op.f("ix_fits_rerun_of"), "fits", ["rerun_of"], unique=False)
    op.add_column(
        "fits",
        sa.Column(
            "metric_spread",
            postgresql.JSONB(astext_type=sa.Text()),
            sa.Computed("outcome -> 'metric_spread'", persisted=True),
            nullable=True,
        ),
    )
    for name, key in LIST_INDEXES.items():
        op.create_index(f"ix_fits_project_{name}", "fits", ["project_id", sa.text(key), "id"])
    op.create_index(
        "ix_fits_estimator_succeeded",
        "fits",
        ["estimator", "id"],
        postgresql_where=sa.text("state = 'succeeded'"),
    )
    op.create_index(
        "ix_fits_unfinished",
        "fits",
        ["created_by", "id"],
        unique=False,
        postgresql_where=sa.text("state in ('queued', 'running')"),
    )
    op.create_foreign_key(
        op.f("fk_fits_leaderboard_id_leaderboards"),
        "fits",
        "leaderboards",
        ["leaderboard_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_foreign_key(
        op.f("fk_fits_rerun_of_fits"), "fits", "fits", ["rerun_of"], ["id"], ondelete="SET NULL"
    )
    # The table of fits is their queue now; its jobs would find nobody who does them.
    op.execute("delete from pgqueuer where entrypoint = 'fits.run'")
    op.drop_column("fits", "job_id")
    op.execute(
        "insert into fit_metrics (fit_id, name, value, project_id) "
        "select f.id, m.key, (m.value)::float8, f.project_id from fits f, "
        "jsonb_each_text(f.metrics) m where f.state = 'succeeded'"
    )
    op.execute(
        "update fits set main_metric = case when metrics ? 'r2' then 'r2' else 'accuracy' end "
        "where state = 'succeeded' and metrics <> '{}'"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_fits_rerun_of_fits"), "fits", type_="foreignkey")
    op.drop_constraint(op.f("fk_fits_leaderboard_id_leaderboards"), "fits", type_="foreignkey")
    op.drop_index(
        "ix_fits_unfinished",
        table_name="fits",
        postgresql_where=sa.text("state in ('queued', 'running')"),
    )
    op.drop_index("ix_fits_estimator_succeeded", table_name="fits")
    for name in LIST_INDEXES:
        op.drop_index(f"ix_fits_project_{name}", table_name="fits")
    op.drop_column("fits", "metric_spread")
    op.drop_index(op.f("ix_fits_rerun_of"), table_name="fits")
    op.drop_index(op.f("ix_fits_leaderboard_id"), table_name="fits")
    op.drop_column("fits", "archived_at")
    op.drop_column("fits", "notes")
    op.drop_column("fits", "environment")
    op.drop_column("fits", "main_metric")
    op.drop_column("fits", "leaderboard_id")
    op.drop_column("fits", "rerun_of")
    op.drop_column("fits", "split_sha256")
    op.drop_column("fits", "peak_memory_bytes")
    op.drop_column("fits", "estimated_seconds")
    op.drop_column("fits", "memory_limit_bytes")
    op.drop_column("fits", "time_limit_seconds")
    op.drop_column("fits", "worker")
    op.drop_column("fits", "request_id")
    op.drop_column("fits", "not_before")
    # Workers of the earlier revision queue again what has no job.
    op.add_column("fits", sa.Column("job_id", sa.BigInteger(), nullable=True))
    op.drop_column("fits", "heartbeat_at")
    op.drop_column("fits", "priority")
    op.drop_table("fit_trials")
    op.drop_index(op.f("ix_fit_stars_fit_id"), table_name="fit_stars")
    op.drop_table("fit_stars")
    op.drop_index("ix_fit_reproductions_fit", table_name="fit_reproductions")
    op.drop_table("fit_reproductions")
    op.drop_index("ix_fit_metrics_order", table_name="fit_metrics")
    op.drop_table("fit_metrics")
    op.drop_index("ix_fit_events_fit", table_name="fit_events")
    op.drop_table("fit_events")
    op.drop_index(
        "ix_leaderboards_running",
        table_name="leaderboards",
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index("ix_leaderboards_project_created", table_name="leaderboards")
    op.drop_index(op.f("ix_leaderboards_dataset_id"), table_name="leaderboards")
    op.drop_table("leaderboards")
