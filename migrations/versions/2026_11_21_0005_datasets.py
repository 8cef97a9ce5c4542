"""Datasets: how they were read, doubts, profiles, joins, purge."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("doubts", "inputs"):
        # The previous release, which may still run, says neither.
        column = sa.Column(name, postgresql.JSONB(), nullable=False, server_default="[]")
        op.add_column("dataset_versions", column)
    op.add_column("dataset_versions", sa.Column("source", postgresql.JSONB(), nullable=True))
    op.add_column("dataset_versions", sa.Column("replay_of", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_dataset_versions_created_by"), "dataset_versions", ["created_by"])
    op.create_table(
        "dataset_profiles",
        sa.Column("dataset_version_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("progress_message", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'ready', 'failed')",
            name=op.f("ck_dataset_profiles_state"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"],
            ["dataset_versions.id"],
            name=op.f("fk_dataset_profiles_dataset_version_id_dataset_versions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_version_id", name=op.f("pk_dataset_profiles")),
    )
    # A chore of the worker computes what is queued, and with it the digest that is marked here:
    # until now it was of another algorithm, so it compares with none of today's.
    op.execute(
        "insert into dataset_profiles "
        "(dataset_version_id, state, progress, progress_message, attempt) "
        "select id, 'queued', 0, '', 0 from dataset_versions"
    )
    op.execute(
        "update dataset_versions v set content_digest = 'v1:' || content_digest "
        "from datasets d where d.id = v.dataset_id and d.kind = 'table'"
    )


def downgrade() -> None:
    purged = sa.text("select count(*) from datasets where purged_at is not null")
    if count := op.get_bind().execute(purged).scalar_one():
        raise CommandError(
            f"{count} datasets are purged: their files are gone. Revision 0004 cannot say so and "
            "would offer to restore them. Restore a backup from before the upgrade, or remove "
            "these datasets and what refers to them first."
        )
    op.execute(
        "update dataset_versions set content_digest = substr(content_digest, 4) "
        "where content_digest like 'v1:%'"
    )
    op.drop_table("dataset_profiles")
    op.drop_index(op.f("ix_dataset_versions_created_by"), "dataset_versions")
    for name in ("replay_of", "source", "inputs", "doubts"):
        op.drop_column("dataset_versions", name)
    op.drop_column("datasets", "purged_at")
