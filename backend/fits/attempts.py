"""The worker's short transactions over a fit that it holds; each is fenced by the attempt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import SYSTEM
from backend.fits.claiming import Claim, claim_next
from backend.fits.events import Event, save_events, tell_state
from backend.fits.repository import FitRepository
from backend.fits.service import enqueue_continuation, enqueue_tracking
from backend.fits.states import FitState
from backend.fits.trials import save_trials
from backend.jobs.channels import announce, offer_fits
from backend.settings import FitSettings
from backend.tables import Fit, FitMetric

# Any constant will do; all workers of one database have to agree on it.
RESTORE_LOCK: Final = 7_013_003
WAITING: Final = "Waiting for a worker"
LONGEST_BACKOFF_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Told:
    """What a fit told since it was last written down."""

    events: Sequence[Event] = ()
    trials: Sequence[Mapping[str, Any]] = ()


NOTHING: Final = Told()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a fit ended without results."""

    code: str
    message: str
    column: str | None = None

    def as_error(self) -> dict[str, Any]:
        """As it stands in the fit's row."""
        return {"code": self.code, "message": self.message[:2_000], "column": self.column}


async def take(
    session: AsyncSession, limits: FitSettings, worker: str, holding: Collection[int] = ()
) -> Claim | None:
    """The next fit that is worth an attempt; None where nothing waits that may run now.

    Those that the worker still holds are not for itself to take, however long it was silent.
    """
    while held := await claim_next(session, limits, worker, holding):
        failure = _hopeless(held, limits.max_attempts)
        if failure is None:
            return held
        await fail(session, held, failure)
    return None


def _hopeless(held: Claim, max_attempts: int) -> Failure | None:
    """Why a fit that was just taken is not worth another attempt."""
    if held.lost_attempts >= max_attempts:
        return Failure(
            "worker_lost",
            f"worker lost {held.lost_attempts} times. Most likely the fit needs more memory than "
            "the machine has.",
        )
    if held.is_purged:
        # It was started in the moment in which its data was given up.
        return Failure("data", "The dataset was deleted, and its files with it.")
    return None


async def beat(session: AsyncSession, held: Sequence[Claim]) -> set[int]:
    """Show that the worker works on these; answers the fits that are still its own.

    It waits for nobody: whoever changes several fits has locked them in another order.
    """
    mine = [(claim.fit_id, claim.attempt) for claim in held]
    own = select(Fit.id).where(
        tuple_(Fit.id, Fit.attempt).in_(mine), Fit.state == FitState.RUNNING.value
    )
    free = own.order_by(Fit.id).with_for_update(skip_locked=True, key_share=True).cte("free")
    shown = (
        update(Fit).where(Fit.id == free.c.id).values(heartbeat_at=func.clock_timestamp())
    ).execution_options(synchronize_session=False)
    await session.execute(shown)
    return set((await session.execute(own)).scalars())


def _held(held: Claim) -> ColumnElement[bool]:
    """True only while this attempt is the newest and nobody cancelled."""
    return and_(
        Fit.id == held.fit_id, Fit.attempt == held.attempt, Fit.state == FitState.RUNNING.value
    )


async def _change(session: AsyncSession, held: Claim, **values: Any) -> bool:
    """Change the fit's row; False when the claim no longer holds."""
    statement = update(Fit).where(_held(held)).values(**values).returning(Fit.id)
    statement = statement.execution_options(synchronize_session=False)
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def report(
    session: AsyncSession, held: Claim, fraction: float, message: str, told: Told = NOTHING
) -> bool:
    """Show progress; False when the claim no longer holds, so the work should stop."""
    share = min(max(fraction, 0.0), 1.0)
    if not await _change(session, held, progress=share, progress_message=message[:200]):
        return False
    await _write_down(session, held, told)
    await announce(session, held.fit_id)
    return True


async def _write_down(session: AsyncSession, held: Claim, told: Told) -> None:
    await save_events(session, held.fit_id, held.attempt, told.events)
    if told.trials:
        await save_trials(session, held.fit_id, held.attempt, told.trials)


async def succeed(
    session: AsyncSession,
    held: Claim,
    outcome: dict[str, Any],
    artifacts: dict[str, Any],
    *,
    told: Told = NOTHING,
    peak_memory_bytes: int | None = None,
) -> bool:
    """Store the results and queue their recording, in one transaction; False when fenced off."""
    kept = await _change(
        session,
        held,
        state=FitState.SUCCEEDED.value,
        finished_at=func.clock_timestamp(),
        heartbeat_at=None,
        progress=1.0,
        progress_message="Done",
        task=outcome["task"],
        features=outcome["features"],
        metrics=outcome["metrics"],
        baseline_metrics=outcome["baseline_metrics"],
        main_metric=outcome.get("main_metric"),
        environment=outcome.get("environment", {}),
        warnings=outcome["warnings"],
        outcome=outcome,
        artifacts=artifacts,
        peak_memory_bytes=peak_memory_bytes,
    )
    if not kept:
        return False
    await _write_down(session, held, told)
    fit = await session.get_one(Fit, held.fit_id, populate_existing=True)
    values = [
        {"fit_id": fit.id, "name": name, "value": value, "project_id": fit.project_id}
        for name, value in outcome["metrics"].items()
        if value is not None
    ]
    if values:
        await session.execute(insert(FitMetric), values)
    await tell_state(session, fit.id, held.attempt, FitState.SUCCEEDED, "Done")
    await enqueue_tracking(session, fit)
    await enqueue_continuation(session, fit)
    return True


async def fail(
    session: AsyncSession,
    held: Claim,
    failure: Failure,
    *,
    told: Told = NOTHING,
    peak_memory_bytes: int | None = None,
) -> bool:
    """End the fit with a reason that its owner can act upon; False when fenced off."""
    error = failure.as_error()
    kept = await _change(
        session,
        held,
        state=FitState.FAILED.value,
        finished_at=func.clock_timestamp(),
        heartbeat_at=None,
        progress_message="Failed",
        error=error,
        peak_memory_bytes=peak_memory_bytes,
    )
    if not kept:
        return False
    await _write_down(session, held, told)
    await tell_state(
        session, held.fit_id, held.attempt, FitState.FAILED, error["message"], error=error
    )
    fit = await session.get_one(Fit, held.fit_id, populate_existing=True)
    await enqueue_continuation(session, fit)
    return True


async def give_back(session: AsyncSession, held: Claim) -> bool:
    """Let another worker start over; this one stops, and that is not the fit's fault."""
    return await _requeue(session, held, WAITING)


async def lose(session: AsyncSession, held: Claim, failure: Failure, *, max_attempts: int) -> bool:
    """Count a lost attempt: another one after a while, or the end with what is known of it."""
    lost = held.lost_attempts + 1
    if lost >= max_attempts:
        await _change(session, held, lost_attempts=lost)
        return await fail(session, held, failure)
    wait = timedelta(seconds=min(2**lost, LONGEST_BACKOFF_SECONDS))
    return await _requeue(
        session,
        held,
        f"Attempt {held.attempt} was lost; the next one begins in {wait.seconds} s",
        lost_attempts=lost,
        not_before=func.clock_timestamp() + wait,
    )


async def _requeue(session: AsyncSession, held: Claim, message: str, **values: Any) -> bool:
    kept = await _change(
        session,
        held,
        state=FitState.QUEUED.value,
        progress=0.0,
        progress_message=message,
        heartbeat_at=None,
        worker=None,
        **values,
    )
    if kept:
        await tell_state(session, held.fit_id, held.attempt, FitState.QUEUED, message)
        await offer_fits(session)
    return kept


async def recorded(session: AsyncSession, fit_id: int, *, run_id: str, experiment_id: str) -> None:
    """MLflow has the fit."""
    await session.execute(
        update(Fit)
        .where(Fit.id == fit_id)
        .values(tracking="recorded", mlflow_run_id=run_id, mlflow_experiment_id=experiment_id)
    )


async def restore_jobs(session: AsyncSession) -> None:
    """Queue again the recordings that should be in the queue and are not.

    A job ends when its task raises, for instance because the database went away in the middle.
    What it was about must not wait forever.
    """
    if not await _is_only_one(session):
        return
    for fit in await FitRepository(session, SYSTEM).list_unrecorded():
        await enqueue_tracking(session, fit)


async def _is_only_one(session: AsyncSession) -> bool:
    """Whether no other worker restores at this moment."""
    lock = func.pg_try_advisory_xact_lock(RESTORE_LOCK)
    return bool((await session.execute(select(lock))).scalar_one())


async def are_waiting(session: AsyncSession) -> bool:
    """Whether any fit waits or runs now."""
    statement = text("select exists (select from fits where state in ('queued', 'running'))")
    return bool((await session.execute(statement)).scalar_one())
