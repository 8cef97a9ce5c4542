"""The queue port over PgQueuer: a job is enqueued in the transaction of the row it is about."""

from typing import Any, Final, cast

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.types import JobId
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.logs import NO_REQUEST, current_request_id

REQUEST_HEADER: Final = "request_id"


async def _queries(session: AsyncSession) -> Queries:
    # The asyncpg dialect begins its transaction with the first statement: flush, then ask for
    # the connection, or the job would be committed on its own.
    await session.flush()
    connection = await session.connection()
    await connection.exec_driver_sql("select 1")
    raw = await connection.get_raw_connection()
    return Queries(AsyncpgDriver(cast(Any, raw.driver_connection)))


async def enqueue(
    session: AsyncSession,
    entrypoint: str,
    payload: BaseModel,
    *,
    key: str,
    priority: int = 0,
) -> int | None:
    """Enqueue a job that exists if and only if the session's transaction commits.

    `key` names what the job is about; while a job with this key waits or runs there is no second
    one, and the answer is None. The job carries the id of the request that caused it.
    """
    request_id = current_request_id()
    queries = await _queries(session)
    job_ids = await queries.enqueue(
        [entrypoint],
        [payload.model_dump_json().encode()],
        [priority],
        dedupe_key=[f"{entrypoint}:{key}"],
        headers=[None if request_id == NO_REQUEST else {REQUEST_HEADER: request_id}],
        on_conflict="skip",
    )
    return None if job_ids[0] is None else int(job_ids[0])


async def cancel(session: AsyncSession, job_id: int) -> None:
    """Cancel a job, waiting or running, when the session's transaction commits."""
    queries = await _queries(session)
    await queries.mark_job_as_cancelled([JobId(job_id)])


async def requeue(session: AsyncSession, job_id: int) -> None:
    """Put a job that failed and is held back into the queue."""
    queries = await _queries(session)
    await queries.requeue_jobs([JobId(job_id)])


async def depth(session: AsyncSession) -> int:
    """Jobs waiting or running; proves that the queue's tables can be read."""
    queries = await _queries(session)
    return sum(row.count for row in await queries.queue_size())
