"""The worker's short transactions over a retraining: claim the comparison, finish it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import SYSTEM, Role, Viewer
from backend.core.errors import AppError
from backend.datasets.trash import DataInTrash
from backend.fits.schemas import FitPayload
from backend.fits.service import FIT_PRIORITY
from backend.fits.states import FitState
from backend.jobs import queue
from backend.registry.repository import ModelVersionRepository
from backend.registry.schemas import CHALLENGER, AliasUpdate
from backend.registry.service import add_version, set_alias
from backend.retraining.repository import RetrainingRepository
from backend.retraining.service import EVALUATE, ChampionChanged, promote
from backend.retraining.states import State, advance
from backend.tables import DatasetVersion, Fit, Retraining


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to compare; worth nothing once somebody else holds a newer attempt."""

    retraining_id: int
    attempt: int
    # Blobs by the name under which the comparing process gets their files.
    files: dict[str, str]
    request: dict[str, Any]


async def claim(session: AsyncSession, fit_id: int, *, max_attempts: int) -> Claim | None:
    """Take the comparison that follows a fit; None when there is nothing to compare."""
    row = await RetrainingRepository(session, SYSTEM).find_of_fit(fit_id)
    if row is None or row.state not in (State.QUEUED, State.RUNNING):
        return None
    if row.fit.state != FitState.SUCCEEDED:
        _follow_fit(row)
        await session.flush()
        return None
    reason = None
    if row.model.trashed_at is not None:
        reason = "The model was moved to the trash meanwhile. Nothing was registered."
    elif row.attempt >= max_attempts:
        reason = f"The comparison was lost {row.attempt} times. Nothing was registered."
    if reason is not None:
        _end_in_failure(row, reason)
        await session.flush()
        return None
    row.state = advance(row.state, State.RUNNING)
    row.attempt += 1
    row.progress, row.progress_message = 0.0, "Comparing with the champion"
    await session.flush()
    versions = ModelVersionRepository(session, SYSTEM)
    champion = (await versions.get(row.model_id, row.champion_version)).fit
    challenger = await session.get_one(Fit, fit_id, populate_existing=True)
    version = await session.get_one(
        DatasetVersion, champion.dataset_version_id, populate_existing=True
    )
    return Claim(
        retraining_id=row.id,
        attempt=row.attempt,
        files={
            "champion": champion.artifacts["model"],
            "challenger": challenger.artifacts["model"],
            "table": version.parquet_sha256,
            "holdout": champion.artifacts["holdout"],
        },
        request={
            "champion_inputs": champion.outcome["input_columns"],
            "challenger_inputs": challenger.outcome["input_columns"],
            "columns": version.columns,
            "task": champion.outcome["task"],
            "metric": row.metric,
            "minimum_gain": row.minimum_gain,
            "withheld": challenger.outcome["rows_withheld"],
        },
    )


def _follow_fit(row: Retraining) -> None:
    """Without a challenger there is nothing to compare."""
    if row.fit.state == FitState.CANCELLED:
        row.state = advance(row.state, State.CANCELLED)
        row.progress_message = row.fit.progress_message
        row.finished_at = func.now()
        return
    error = row.fit.error or {}
    reason = error.get("message", "for no known reason")
    _end_in_failure(row, f"The challenger could not be fitted: {reason}", error.get("column"))


async def report(session: AsyncSession, held: Claim, fraction: float, message: str) -> bool:
    """Show progress; False when the claim no longer holds."""
    statement = (
        update(Retraining)
        .where(Retraining.id == held.retraining_id)
        .where(Retraining.attempt == held.attempt, Retraining.state == State.RUNNING.value)
        .values(progress=min(max(fraction, 0.0), 1.0), progress_message=message[:200])
        .returning(Retraining.id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def _held(session: AsyncSession, held: Claim) -> Retraining | None:
    row = await RetrainingRepository(session, SYSTEM).get(held.retraining_id, for_update=True)
    if row.attempt != held.attempt or row.state != State.RUNNING:
        return None
    return row


async def finish(session: AsyncSession, held: Claim, evidence: dict[str, Any]) -> State | None:
    """Register the challenger, and promote it where the evidence and the policy say so."""
    row = await _held(session, held)
    if row is None:
        return None
    # What follows is done in the name of the administrator who asked for it.
    asker = Viewer(user_id=row.requested_by, username=row.requester.username, role=Role.ADMIN)
    reason = f"Retraining {row.id}: {evidence['verdict']}"
    version = await add_version(session, asker, row.model_id, row.fit_id, origin="retraining")
    number = version.version
    await set_alias(
        session,
        asker,
        row.model_id,
        CHALLENGER,
        AliasUpdate(version=number, reason=reason[:1_000]),
        kind="retraining",
    )
    row.challenger_version = number
    state = State.REJECTED
    decision: str | None = "Not better by the margin that was asked for."
    if evidence["is_better"] and row.require_approval:
        state, decision = State.WAITING_FOR_APPROVAL, None
    elif evidence["is_better"]:
        state, decision = await _promoted(session, asker, row, reason[:1_000])
    row = await RetrainingRepository(session, SYSTEM).get(row.id, for_update=True)
    row.state = advance(row.state, state)
    row.evidence = evidence
    row.challenger_version = number
    row.decision_reason = decision
    row.progress = 1.0
    waits = state is State.WAITING_FOR_APPROVAL
    row.progress_message = "Waits for approval" if waits else "Done"
    row.finished_at = func.now()
    await session.flush()
    return state


async def _promoted(
    session: AsyncSession, asker: Viewer, row: Retraining, reason: str
) -> tuple[State, str]:
    try:
        await promote(session, asker, row, reason)
    except (ChampionChanged, DataInTrash) as refused:
        return State.REJECTED, refused.detail
    return State.PROMOTED, reason


async def fail(session: AsyncSession, held: Claim, message: str) -> None:
    """End it with a reason; nothing was registered or promoted."""
    row = await _held(session, held)
    if row is not None:
        _end_in_failure(row, message)
        await session.flush()


def _end_in_failure(row: Retraining, message: str, column: str | None = None) -> None:
    row.state = advance(row.state, State.FAILED)
    row.error = {"message": message[:2_000], "column": column}
    row.finished_at = func.now()


def reason_of(error: AppError) -> str:
    """What an error of the registry says, with its parts."""
    return "; ".join([error.detail, *(problem["msg"] for problem in error.errors)])


async def restore_jobs(session: AsyncSession) -> None:
    """Queue again the comparisons whose job was lost."""
    for row in await RetrainingRepository(session, SYSTEM).list_left_behind():
        payload = FitPayload(fit_id=row.fit_id)
        await queue.enqueue(session, EVALUATE, payload, key=str(row.fit_id), priority=FIT_PRIORITY)
