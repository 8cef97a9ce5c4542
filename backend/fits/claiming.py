"""Which fit comes next: the table of fits is the queue, and the order is fair."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from backend.fits.limits import Terms, terms_of
from backend.jobs.channels import NEWS
from backend.settings import FitSettings

# Any constant will do; all workers of one database have to agree on it.
CLAIM_LOCK: Final = 7_013_006

# Silence counts from the database's own start: while it was away, nobody could show anything.
# After each loss the silence has to be longer, so that a fit that kills workers kills them slowly.
_LOST: Final = """
    state = 'running'
    and greatest(coalesce(heartbeat_at, '-infinity'), pg_postmaster_start_time())
        < clock_timestamp() - cast(:lost_after as interval)
            - make_interval(secs => power(2, lost_attempts) - 1)
"""
# One row per fit that waits or runs. A user's fits take turns with those of others: the second
# of one goes after the first of everybody, and what runs already counts before what waits. What
# is put off takes no turn from the user's others.
_RANKED: Final = f"""
    unfinished as (
        select id, created_by, priority,
            ({_LOST}) as is_lost,
            state = 'queued' and coalesce(not_before, '-infinity') <= clock_timestamp() as is_due,
            state = 'queued' as is_queued
        from fits
        where state in ('queued', 'running') and trashed_at is null
    ),
    placed as (
        select id, created_by, priority, is_lost or is_due as is_open, is_queued,
            row_number() over (
                partition by created_by, is_queued or is_lost
                order by is_lost or is_due desc, priority desc, id
            ) as place,
            count(*) filter (where not is_queued and not is_lost)
                over (partition by created_by) as running
        from unfinished
    )
"""  # noqa: S608  # constants of this file
# Locked rows are passed over: somebody changes them at this moment, and tells when it is done.
_CLAIM: Final = text(
    f"""
    with {_RANKED},
    chosen as (
        select fits.id
        from fits join placed on placed.id = fits.id
        where placed.is_open and placed.running < cast(:cap as bigint)
            and fits.state in ('queued', 'running') and fits.trashed_at is null
            and fits.id <> all(cast(:holding as bigint[]))
        order by placed.priority desc, placed.running + placed.place, placed.id
        limit 1
        for update of fits skip locked
    ),
    taken as (
        update fits set
            state = 'running',
            attempt = fits.attempt + 1,
            lost_attempts = fits.lost_attempts + (fits.state = 'running')::int,
            heartbeat_at = clock_timestamp(),
            not_before = null,
            worker = :worker,
            started_at = coalesce(fits.started_at, clock_timestamp()),
            progress = 0,
            progress_message = case when fits.attempt = 0 then 'Starting'
                else 'Attempt ' || fits.attempt + 1 end
        from chosen
        where fits.id = chosen.id and fits.state in ('queued', 'running')
        returning fits.*
    ),
    told as (
        insert into fit_events (fit_id, attempt, kind, content)
        select id, attempt, 'state',
            jsonb_build_object('state', state, 'message', progress_message) from taken
    )
    select taken.id, taken.attempt, taken.lost_attempts, taken.spec, taken.withheld,
        taken.split_sha256, taken.request_id, taken.leaderboard_id, taken.time_limit_seconds,
        taken.memory_limit_bytes, version.parquet_sha256, version.columns,
        dataset.purged_at is not null as is_purged,
        pg_notify('{NEWS}', taken.id::text)
    from taken
    join dataset_versions version on version.id = taken.dataset_version_id
    join datasets dataset on dataset.id = taken.dataset_id
    """  # noqa: S608  # constants of this file
).columns(spec=JSONB, withheld=JSONB, columns=JSONB)
_POSITIONS: Final = text(
    f"""
    with {_RANKED},
    ordered as (
        select id, row_number() over (order by priority desc, running + place, id) - 1 as before
        from placed where is_queued
    )
    select id, before from ordered where id = any(cast(:fit_ids as bigint[]))
    """  # noqa: S608  # constants of this file
)
UNCAPPED: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a fit; worth nothing once somebody else holds a newer attempt."""

    fit_id: int
    attempt: int
    lost_attempts: int
    spec: dict[str, Any]
    parquet_sha256: str
    columns: list[dict[str, Any]]
    withheld: dict[str, Any] | None
    split_sha256: str | None
    request_id: str | None
    leaderboard_id: int | None
    is_purged: bool
    terms: Terms


async def claim_next(
    session: AsyncSession, limits: FitSettings, worker: str, holding: Collection[int] = ()
) -> Claim | None:
    """Take the fit whose turn it is; None where nothing waits that may run now.

    Workers claim one after another, or two of them would count the same running fits.
    """
    await session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": CLAIM_LOCK})
    values = {
        "lost_after": limits.lost_after,
        "cap": limits.max_running_per_user or UNCAPPED,
        "worker": worker,
        "holding": list(holding),
    }
    row = (await session.execute(_CLAIM, values)).mappings().one_or_none()
    if row is None:
        return None
    return Claim(
        fit_id=row["id"],
        terms=terms_of(row["time_limit_seconds"], row["memory_limit_bytes"], limits),
        **{
            name: row[name]
            for name in (
                "attempt",
                "lost_attempts",
                "spec",
                "parquet_sha256",
                "columns",
                "withheld",
                "split_sha256",
                "request_id",
                "leaderboard_id",
                "is_purged",
            )
        },
    )


async def queue_positions(session: AsyncSession, fit_ids: Sequence[int]) -> dict[int, int]:
    """How many fits go before each of these that waits, as far as is known now."""
    if not fit_ids:
        return {}
    # Whether a running one is lost changes nothing that anybody would notice here.
    values = {"fit_ids": list(fit_ids), "lost_after": timedelta(days=1)}
    rows = await session.execute(_POSITIONS, values)
    return {row.id: row.before for row in rows}
