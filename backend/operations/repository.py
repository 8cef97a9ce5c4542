"""Statements over the queue's jobs and over what is stored."""

from operator import attrgetter
from typing import Final

from sqlalchemy import Select, false, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.jobs.table import QueuedJob
from backend.operations.facts import job_state
from backend.operations.schemas import JobState
from backend.tables import Table

SORT_KEYS: Final = {
    "created_at": SortKey(QueuedJob.created, attrgetter("created")),
    "due_at": SortKey(QueuedJob.execute_after, attrgetter("execute_after")),
    "priority": SortKey(QueuedJob.priority, attrgetter("priority")),
    "entrypoint": SortKey(QueuedJob.entrypoint, attrgetter("entrypoint")),
}


class JobRepository(ScopedRepository[QueuedJob]):
    """Administrators see every job, others none: a job belongs to the platform."""

    noun = "job"

    def scoped(self) -> Select[QueuedJob]:
        statement = select(QueuedJob)
        return statement if self.viewer.sees_everything else statement.where(false())

    async def get(self, job_id: int) -> QueuedJob:
        """A job, locked; a worker that would take it skips it meanwhile."""
        statement = self.scoped().where(QueuedJob.id == job_id).with_for_update()
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def page(
        self,
        page: PageRequest,
        signer: CursorSigner,
        *,
        state: JobState | None,
        entrypoint: str | None,
    ) -> tuple[list[QueuedJob], str | None]:
        statement = self.scoped()
        if state is not None:
            statement = statement.where(job_state() == state)
        if entrypoint is not None:
            statement = statement.where(QueuedJob.entrypoint == entrypoint)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=QueuedJob.id, signer=signer
        )

    async def make_due(self, job_id: int) -> None:
        """Let a job that was put off be taken now."""
        statement = update(QueuedJob).where(QueuedJob.id == job_id).values(execute_after=func.now())
        await self.session.execute(statement)


async def count_rows(session: AsyncSession) -> dict[str, int]:
    """Rows of each of our tables."""
    counts: dict[str, int] = {}
    for name, table in sorted(Table.metadata.tables.items()):
        statement = select(func.count()).select_from(table)
        counts[name] = (await session.execute(statement)).scalar_one()
    return counts


async def database_bytes(session: AsyncSession) -> int:
    """What the database takes on its disk."""
    statement = text("select pg_database_size(current_database())")
    size: int = (await session.execute(statement)).scalar_one()
    return size
