"""The queue's table as PgQueuer keeps it, for statements that its own API does not have."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, LargeBinary, MetaData
from sqlalchemy.dialects.postgresql import ENUM, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import Instant, Table

STATUS = ENUM(
    "queued",
    "picked",
    "successful",
    "exception",
    "canceled",
    "deleted",
    "failed",
    name="pgqueuer_status",
    create_type=False,
)


class QueuedJob(Table):
    """A job that waits, runs, or is held after it failed."""

    __tablename__ = "pgqueuer"
    # Not among our own tables: Alembic must neither create nor compare it.
    metadata: ClassVar[MetaData] = MetaData()

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    priority: Mapped[int]
    created: Mapped[Instant]
    updated: Mapped[Instant]
    execute_after: Mapped[Instant]
    status: Mapped[str] = mapped_column(STATUS)
    entrypoint: Mapped[str]
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    attempts: Mapped[int]
