"""The worker's short transactions over a fit: claim, report, finish; fenced by the attempt."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import SYSTEM
from backend.fits.repository import FitRepository
from backend.fits.service import enqueue_continuation, enqueue_run, enqueue_tracking
from backend.fits.states import FINAL_STATES, FitState, advance
from backend.tables import DatasetVersion, Fit

# Any constant will do; all workers of one database have to agree on it.
RESTORE_LOCK: Final = 7_013_003
WAITING: Final = "Waiting for a worker"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a fit; worth nothing once somebody else holds a newer attempt."""

    fit_id: int
    attempt: int
    # Whether losing this attempt leaves another one.
    may_be_lost: bool
    spec: dict[str, Any]
    parquet_sha256: str
    columns: list[dict[str, Any]]
    withheld: dict[str, Any] | None


async def claim(session: AsyncSession, fit_id: int, *, max_attempts: int) -> Claim | None:
    """Take a fit; None when it is finished, cancelled or gone, or was lost too often."""
    fit = await FitRepository(session, SYSTEM).find(fit_id, for_update=True)
    if fit is None or FitState(fit.state) in FINAL_STATES:
        return None
    if fit.state == FitState.RUNNING:
        fit.lost_attempts += 1
    if fit.lost_attempts >= max_attempts:
        _finish_row(fit, FitState.FAILED)
        fit.error = {
            "message": f"The worker was lost {fit.lost_attempts} times while it ran this fit. "
            "Most likely the fit needs more memory than there is.",
            "column": None,
        }
        await session.flush()
        await enqueue_continuation(session, fit)
        return None
    if fit.dataset.purged_at is not None:
        # It was started in the moment in which its data was given up.
        _finish_row(fit, FitState.FAILED)
        fit.error = {"message": "The dataset was deleted, and its files with it.", "column": None}
        await session.flush()
        await enqueue_continuation(session, fit)
        return None
    fit.state = advance(FitState(fit.state), FitState.RUNNING)
    fit.attempt += 1
    fit.progress = 0.0
    fit.progress_message = "Starting" if fit.attempt == 1 else f"Attempt {fit.attempt}"
    if fit.started_at is None:
        fit.started_at = func.now()
    await session.flush()
    version = await session.get_one(DatasetVersion, fit.dataset_version_id, populate_existing=True)
    return Claim(
        fit_id=fit.id,
        attempt=fit.attempt,
        may_be_lost=fit.lost_attempts + 1 < max_attempts,
        spec=dict(fit.spec),
        parquet_sha256=version.parquet_sha256,
        columns=version.columns,
        withheld=fit.withheld,
    )


async def give_back(session: AsyncSession, held: Claim) -> None:
    """Let another worker start over; this one stops, and that is not the fit's fault."""
    statement = (
        update(Fit)
        .where(_held(held))
        .values(state=FitState.QUEUED.value, progress=0.0, progress_message=WAITING)
    )
    await session.execute(statement)


def _held(held: Claim) -> ColumnElement[bool]:
    """True only while this attempt is the newest and nobody cancelled."""
    return and_(
        Fit.id == held.fit_id, Fit.attempt == held.attempt, Fit.state == FitState.RUNNING.value
    )


async def report(session: AsyncSession, held: Claim, fraction: float, message: str) -> bool:
    """Show progress; False when the claim no longer holds, so the work should stop."""
    statement = (
        update(Fit)
        .where(_held(held))
        .values(progress=min(max(fraction, 0.0), 1.0), progress_message=message[:200])
        .returning(Fit.id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def succeed(
    session: AsyncSession, held: Claim, outcome: dict[str, Any], artifacts: dict[str, Any]
) -> bool:
    """Store the results and queue their recording, in one transaction; False when fenced off."""
    fit = await _locked(session, held)
    if fit is None:
        return False
    _finish_row(fit, FitState.SUCCEEDED)
    fit.progress = 1.0
    fit.progress_message = "Done"
    fit.task = outcome["task"]
    fit.features = outcome["features"]
    fit.metrics = outcome["metrics"]
    fit.baseline_metrics = outcome["baseline_metrics"]
    fit.warnings = outcome["warnings"]
    fit.outcome = outcome
    fit.artifacts = artifacts
    await session.flush()
    await enqueue_tracking(session, fit)
    await enqueue_continuation(session, fit)
    return True


async def fail(session: AsyncSession, held: Claim, message: str, column: str | None = None) -> bool:
    """End the fit with a reason that its owner can act upon; False when fenced off."""
    fit = await _locked(session, held)
    if fit is None:
        return False
    _finish_row(fit, FitState.FAILED)
    fit.error = {"message": message[:2_000], "column": column}
    await session.flush()
    await enqueue_continuation(session, fit)
    return True


async def _locked(session: AsyncSession, held: Claim) -> Fit | None:
    fit = await FitRepository(session, SYSTEM).find(held.fit_id, for_update=True)
    if fit is None or fit.attempt != held.attempt or fit.state != FitState.RUNNING:
        return None
    return fit


def _finish_row(fit: Fit, state: FitState) -> None:
    fit.state = advance(FitState(fit.state), state)
    fit.finished_at = func.now()


async def recorded(session: AsyncSession, fit_id: int, *, run_id: str, experiment_id: str) -> None:
    """MLflow has the fit."""
    await session.execute(
        update(Fit)
        .where(Fit.id == fit_id)
        .values(tracking="recorded", mlflow_run_id=run_id, mlflow_experiment_id=experiment_id)
    )


async def restore_jobs(session: AsyncSession) -> None:
    """Queue again what should be in the queue and is not.

    A job ends when its task raises, for instance because the database went away in the middle.
    What it was about must not wait forever.
    """
    if not await _is_only_one(session):
        return
    fits = FitRepository(session, SYSTEM)
    for fit in await fits.list_unfinished():
        await enqueue_run(session, fit)
    for fit in await fits.list_unrecorded():
        await enqueue_tracking(session, fit)


async def _is_only_one(session: AsyncSession) -> bool:
    """Whether no other worker restores at this moment."""
    lock = func.pg_try_advisory_xact_lock(RESTORE_LOCK)
    return bool((await session.execute(select(lock))).scalar_one())
