"""Starting, changing and reading fits."""

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import (
    Conflict,
    TooManyRequests,
)
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.service import fetch_version
from backend.fits.checks import checked_spec, split_to_use_again
from backend.fits.estimating import estimate_seconds
from backend.fits.limits import HIGH_PRIORITY, NORMAL_PRIORITY, check_limits
from backend.fits.queueing import hold_turns, leave_queue, queue_fit
from backend.fits.repository import FitRepository
from backend.fits.rerunning import KeptRows, kept_rows
from backend.fits.schemas import FitCreate, FitPayload, TrackPayload
from backend.fits.states import FitState, advance
from backend.jobs import queue
from backend.projects.service import require_editor
from backend.science.catalogue import ESTIMATORS
from backend.science.spec import FitSpec
from backend.settings import FitSettings
from backend.tables import Dataset, DatasetVersion, Fit

TRACK_FIT = "fits.track"
# Recording goes after what follows a fit: somebody waits for that.
FIT_PRIORITY = 10
TRACK_PRIORITY = 5


async def start_fit(
    session: AsyncSession,
    viewer: Viewer,
    data: FitCreate,
    *,
    limits: FitSettings,
    idempotency: Idempotency,
    rerun_of: Fit | None = None,
) -> Fit:
    """Queue a fit; the workers hear of it with its row."""
    fits = FitRepository(session, viewer)
    content = fingerprint(data.model_dump(mode="json"))
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await fits.get(made)
    dataset, version = await fetch_version(session, viewer, data.dataset_id, data.version)
    await require_editor(session, viewer, dataset.project_id)
    spec = checked_spec(data, dataset.kind, version)
    check_limits(viewer, data.limits, data.priority, limits)
    await hold_turns(session, viewer.user_id)
    if await fits.count_active() >= limits.max_active_per_user:
        raise TooManyRequests(
            f"You have {limits.max_active_per_user} unfinished fits. Wait for one, or cancel one.",
            headers={"Retry-After": "10"},
        )
    fit = await add_fit(session, viewer, data, spec, version, rerun_of=rerun_of)
    await idempotency.remember(session, viewer, content, fit.id)
    return await fits.get(fit.id)


async def add_fit(
    session: AsyncSession,
    viewer: Viewer,
    data: FitCreate,
    spec: FitSpec,
    version: DatasetVersion,
    *,
    rerun_of: Fit | None = None,
    leaderboard_id: int | None = None,
) -> Fit:
    """The row of a request that was checked, in the queue from the commit on."""
    dataset = await session.get_one(Dataset, version.dataset_id)
    kept = None if rerun_of is None else kept_rows(rerun_of, spec, version.id)
    if kept is None:
        kept = KeptRows(await split_to_use_again(session, viewer, spec, version), None)
    asked = spec.model_dump(mode="json")
    estimate = await estimate_seconds(session, viewer, asked, version)
    fit = Fit(
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        dataset_version_id=version.id,
        name=data.name or f"{data.target} by {ESTIMATORS[data.estimator].title}",
        notes=data.notes,
        tags=dict(data.tags),
        spec=asked,
        split_sha256=kept.split_sha256,
        withheld=kept.withheld,
        estimator=data.estimator,
        target=data.target,
        rerun_of=None if rerun_of is None else rerun_of.id,
        leaderboard_id=leaderboard_id,
        created_by=viewer.user_id,
        priority=HIGH_PRIORITY if data.priority == "high" else NORMAL_PRIORITY,
        time_limit_seconds=data.limits.seconds,
        memory_limit_bytes=data.limits.memory_bytes,
        estimated_seconds=estimate.seconds,
    )
    await queue_fit(session, fit)
    details = {"dataset_id": dataset.id, "version": version.version}
    if rerun_of is not None:
        details["rerun_of"] = rerun_of.id
    audit.record(session, viewer, Action.FIT_STARTED, about(fit), details=details)
    return fit


async def enqueue_tracking(session: AsyncSession, fit: Fit) -> None:
    """Queue the recording of a finished fit, unless it is queued already."""
    payload = TrackPayload(fit_id=fit.id)
    await queue.enqueue(session, TRACK_FIT, payload, key=str(fit.id), priority=TRACK_PRIORITY)


async def enqueue_continuation(session: AsyncSession, fit: Fit) -> None:
    """Queue what follows a fit that ended, in the transaction that ended it."""
    if fit.continuation is not None:
        payload = FitPayload(fit_id=fit.id)
        await queue.enqueue(
            session, fit.continuation, payload, key=str(fit.id), priority=FIT_PRIORITY
        )


async def writable_fit(
    session: AsyncSession, viewer: Viewer, fit_id: int, *, also_archived: bool = False
) -> Fit:
    """A fit that the viewer may change, locked until the transaction ends."""
    fit = await FitRepository(session, viewer).get(fit_id, for_update=True)
    await require_editor(session, viewer, fit.project_id, also_archived=also_archived)
    return fit


async def cancel_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """Cancel at once, waiting or running.

    The state is final with this transaction; the worker is notified by its commit, kills the
    child, and whatever the child still sends is refused by the state.
    """
    fit = await writable_fit(session, viewer, fit_id, also_archived=True)
    await cancel_held(session, viewer, fit)
    return fit


async def cancel_held(session: AsyncSession, viewer: Viewer, fit: Fit) -> None:
    """Cancel a fit that the caller has locked and may change."""
    fit.state = advance(FitState(fit.state), FitState.CANCELLED)
    fit.progress_message = f"Cancelled by {viewer.username}"
    fit.finished_at = await database_time(session)
    audit.record(session, viewer, Action.FIT_CANCELLED, about(fit))
    await leave_queue(session, fit)
    await enqueue_continuation(session, fit)


async def finished_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """A fit that has results."""
    fit = await FitRepository(session, viewer).get_results(fit_id)
    if fit.state != FitState.SUCCEEDED:
        raise Conflict(
            f"This fit is {fit.state}; it has no results{' yet' if not fit.finished_at else ''}.",
            code="fit_without_results",
        )
    return fit
