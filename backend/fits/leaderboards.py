"""Several estimators tried on the same rows: what takes part, who leads, and when it ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import SYSTEM, Viewer
from backend.core.audit import Action, Subject, about
from backend.core.db import database_time
from backend.core.errors import Conflict, TooManyRequests, Unprocessable, field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.service import fetch_version
from backend.fits.checks import checked_spec
from backend.fits.events import tell_state
from backend.fits.leaderboard_repository import Entry, LeaderboardRepository, clock
from backend.fits.leaderboard_schemas import LeaderboardCreate
from backend.fits.listing import Listing
from backend.fits.queueing import hold_turns
from backend.fits.repository import FitRepository
from backend.fits.schemas import FitCreate, FitFilter, FitSummary
from backend.fits.service import add_fit, cancel_fit
from backend.fits.states import FINAL_STATES, FitState
from backend.fits.target_checks import known_task
from backend.jobs.channels import stop_fits
from backend.projects.service import require_editor
from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import ColumnDescription
from backend.science.estimator_spec import EstimatorSpec
from backend.science.metrics import METRICS, main_metric
from backend.science.spec import Task
from backend.settings import FitSettings
from backend.tables import Dataset, DatasetVersion, Fit, Leaderboard

BASELINE: Final = "dummy_baseline"
UNFINISHED: Final = tuple(s.value for s in FitState if s not in FINAL_STATES)
LeftOut = dict[str, str]


class LeaderboardEnded(Conflict):
    """This leaderboard is over"""

    code = "leaderboard_ended"


async def start_leaderboard(
    session: AsyncSession,
    viewer: Viewer,
    data: LeaderboardCreate,
    *,
    limits: FitSettings,
    idempotency: Idempotency,
) -> Leaderboard:
    """Queue a fit for each estimator: all that can be tried, or none."""
    boards = LeaderboardRepository(session, viewer)
    content = fingerprint(data.model_dump(mode="json"))
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await boards.get(made)
    dataset, version = await fetch_version(session, viewer, data.dataset_id, data.version)
    await require_editor(session, viewer, dataset.project_id)
    if dataset.kind != "table":
        raise field_error("dataset_id", msg="a leaderboard is offered for tables only")
    task = _task(data, version)
    metric = _metric(data, task)
    board = Leaderboard(
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        dataset_version_id=version.id,
        name=data.name or f"{data.target}: several estimators",
        target=data.target,
        request={**data.model_dump(mode="json"), "version": version.version, "task": task},
        main_metric=metric,
        budget_seconds=data.budget_seconds,
        created_by=viewer.user_id,
    )
    session.add(board)
    await session.flush()
    await hold_turns(session, viewer.user_id)
    active = await FitRepository(session, viewer).count_active()
    tried, left_out = await _add_fits(session, viewer, data, board, (dataset, version))
    if active + len(tried) > limits.max_active_per_user:
        raise TooManyRequests(
            f"This leaderboard needs {len(tried)} fits; you have {active} unfinished ones, and "
            f"{limits.max_active_per_user} are allowed. Wait, or name fewer estimators.",
            headers={"Retry-After": "10"},
        )
    board.request = {**board.request, "estimators": tried, "left_out": left_out}
    details = {"dataset_id": dataset.id, "version": version.version, "fits": len(tried)}
    audit.record(session, viewer, Action.LEADERBOARD_STARTED, about(board), details=details)
    await idempotency.remember(session, viewer, content, board.id)
    return await boards.get(board.id)


def _task(data: LeaderboardCreate, version: DatasetVersion) -> Task:
    """All fits must do the same task, so it is settled before the first of them."""
    described = {column["name"]: column for column in version.columns}
    if data.target not in described:
        raise field_error("target", msg=f"the dataset has no column {data.target!r}")
    task = known_task(ColumnDescription(**described[data.target]), data.task)
    if task is None:
        msg = f"say whether {data.target} is regressed or holds classes; its values do not tell"
        raise field_error("task", msg=msg)
    return task


def _metric(data: LeaderboardCreate, task: Task) -> str:
    known = [spec.name for spec in METRICS.values() if task in spec.tasks]
    if data.main_metric is not None and data.main_metric not in known:
        raise field_error("main_metric", msg=f"for {task} known are {', '.join(known)}")
    return main_metric(task, data.main_metric).name


async def _add_fits(
    session: AsyncSession,
    viewer: Viewer,
    data: LeaderboardCreate,
    board: Leaderboard,
    source: tuple[Dataset, DatasetVersion],
) -> tuple[list[str], list[LeftOut]]:
    """The fits, the cheap ones first, and what of the catalogue cannot be tried and why."""
    tried: list[str] = []
    left_out: list[LeftOut] = []
    refusals: list[Unprocessable] = []
    for estimator in _candidates(data, board.request["task"]):
        asked = _fit_request(data, board, estimator)
        dataset, version = source
        try:
            spec = checked_spec(asked, dataset.kind, version)
        except Unprocessable as refusal:
            if data.estimators is not None:
                raise
            refusals.append(refusal)
            left_out.append({"estimator": estimator.name, "reason": str(refusal)})
        else:
            await add_fit(session, viewer, asked, spec, version, leaderboard_id=board.id)
            tried.append(estimator.name)
    if not tried:
        # What none of them can do is wrong in the request itself.
        raise refusals[0]
    return tried, left_out


def _candidates(data: LeaderboardCreate, task: Task) -> list[EstimatorSpec]:
    if data.estimators is None:
        chosen = [e for e in ESTIMATORS.values() if e.data == "table" and task in e.tasks]
        return sorted(chosen, key=_cost)
    for position, name in enumerate(data.estimators):
        if name not in ESTIMATORS:
            known = ", ".join(sorted(ESTIMATORS))
            raise field_error("estimators", position, msg=f"unknown estimator; known are {known}")
        if task not in ESTIMATORS[name].tasks:
            raise field_error("estimators", position, msg=f"{name} does not do {task}")
        if name in data.estimators[:position]:
            raise field_error("estimators", position, msg=f"{name} stands twice")
    return sorted((ESTIMATORS[name] for name in data.estimators), key=_cost)


def _cost(estimator: EstimatorSpec) -> tuple[bool, bool, bool, bool, str]:
    """What is quick goes first, so that there is something to see and the budget serves many."""
    return (
        estimator.name != BASELINE,
        estimator.most_rows is not None,
        estimator.grows is not None,
        not estimator.has_coefficients,
        estimator.name,
    )


def _fit_request(
    data: LeaderboardCreate, board: Leaderboard, estimator: EstimatorSpec
) -> FitCreate:
    """The same rows for all: the split follows from the seed, the rows and the validation."""
    return FitCreate(
        dataset_id=board.dataset_id,
        version=board.request["version"],
        target=data.target,
        features=data.features,
        task=board.request["task"],
        estimator=estimator.name,
        preset=data.preset,
        preprocessing=data.preprocessing,
        target_transform=data.target_transform,
        class_weight=data.class_weight,
        weights=data.weights,
        validation=data.validation,
        main_metric=board.main_metric,
        seed=data.seed,
    )


async def cancel_leaderboard(
    session: AsyncSession, viewer: Viewer, leaderboard_id: int
) -> Leaderboard:
    """End it: what waits or runs is cancelled, what is done stays."""
    board = await _writable(session, viewer, leaderboard_id)
    if board.state != "running":
        raise LeaderboardEnded(f"This leaderboard is {board.state}.")
    await _cancel(session, viewer, board)
    return board


async def trash_leaderboard(session: AsyncSession, viewer: Viewer, leaderboard_id: int) -> None:
    """Out of sight; its fits stay, those that are unfinished are cancelled."""
    board = await _writable(session, viewer, leaderboard_id)
    if board.state == "running":
        await _cancel(session, viewer, board)
    board.trashed_at = await database_time(session)
    audit.record(session, viewer, Action.LEADERBOARD_TRASHED, about(board))
    await session.flush()


async def _writable(session: AsyncSession, viewer: Viewer, leaderboard_id: int) -> Leaderboard:
    board = await LeaderboardRepository(session, viewer).get(leaderboard_id, for_update=True)
    await require_editor(session, viewer, board.project_id, also_archived=True)
    return board


async def _cancel(session: AsyncSession, viewer: Viewer, board: Leaderboard) -> None:
    fits = FitRepository(session, viewer).scoped()
    unfinished = (
        fits.where(Fit.leaderboard_id == board.id, Fit.state.in_(UNFINISHED))
        .order_by(Fit.id)
        .with_only_columns(Fit.id)
        .with_for_update()
    )
    for fit_id in (await session.execute(unfinished)).scalars().all():
        await cancel_fit(session, viewer, fit_id)
    board.state = "cancelled"
    board.finished_at = await database_time(session)
    audit.record(session, viewer, Action.LEADERBOARD_CANCELLED, about(board))
    await session.flush()


def ranked(board: Leaderboard, entries: Sequence[Entry]) -> list[Entry]:
    """The best first, then those that run or wait, then those that have no score."""
    sign = -1.0 if METRICS[board.main_metric].greater_is_better else 1.0
    open_states = (FitState.RUNNING, FitState.QUEUED)

    def place(entry: Entry) -> tuple[int, float, int]:
        if entry.is_scored:
            return (0, sign * (entry.value or 0.0), entry.fit_id)
        group = open_states.index(entry.state) if entry.state in open_states else 2
        return (1 + group, 0.0, entry.fit_id)

    return sorted(entries, key=place)


def best_of(ranked: Sequence[Entry]) -> int | None:
    """The fit that leads; none while nothing was scored."""
    return ranked[0].fit_id if ranked and ranked[0].is_scored else None


async def summaries(
    session: AsyncSession, viewer: Viewer, ranked: Sequence[Entry]
) -> list[FitSummary]:
    """These fits as lists show them, in their order; also those that somebody put away."""
    fit_ids = [entry.fit_id for entry in ranked]
    found: dict[int, FitSummary] = {}
    for archived in (False, True):
        listing = Listing(session, viewer, FitFilter(archived=archived))
        found |= await listing.summaries(fit_ids)
    return [found[fit_id] for fit_id in fit_ids if fit_id in found]


async def settle(session: AsyncSession) -> None:
    """End the fits of leaderboards that are out of time, and leaderboards without open fits."""
    running = (
        select(Leaderboard)
        .where(Leaderboard.state == "running")
        .order_by(Leaderboard.id)
        .with_for_update(skip_locked=True)
    )
    boards = (await session.execute(running)).scalars().all()
    if not boards:
        return
    now = await clock(session)
    for board in boards:
        await _settle(session, board, now)
    await session.flush()


async def _settle(session: AsyncSession, board: Leaderboard, now: datetime) -> None:
    if board.started_at is None:
        first = select(func.min(Fit.started_at)).where(Fit.leaderboard_id == board.id)
        board.started_at = (await session.execute(first)).scalar_one()
    is_over = (
        board.started_at is not None
        and (now - board.started_at).total_seconds() >= board.budget_seconds
    )
    if is_over:
        await _end_open_fits(session, board)
    still = select(Fit.id).where(Fit.leaderboard_id == board.id, Fit.state.in_(UNFINISHED))
    if (await session.execute(still.limit(1))).scalar_one_or_none() is None:
        board.state = "finished"
        board.finished_at = now


async def _end_open_fits(session: AsyncSession, board: Leaderboard) -> None:
    """Final with this transaction; its commit lets the workers kill what runs."""
    open_fits = (
        select(Fit.id, Fit.state, Fit.attempt, Fit.name, Fit.project_id)
        .where(Fit.leaderboard_id == board.id, Fit.state.in_(UNFINISHED))
        .order_by(Fit.id)
        .with_for_update()
    )
    rows = (await session.execute(open_fits)).all()
    for fit_id, state, attempt, name, project_id in rows:
        was = "ended before this fit" if state == FitState.QUEUED else "ended while this fit ran"
        message = f"The time budget of {board.budget_seconds} s {was}"
        error: dict[str, Any] = {"code": "budget", "message": message, "column": None}
        await session.execute(
            update(Fit)
            .where(Fit.id == fit_id)
            .values(
                state=FitState.FAILED.value,
                finished_at=func.clock_timestamp(),
                heartbeat_at=None,
                progress_message="Failed",
                error=error,
            )
        )
        await tell_state(session, fit_id, attempt, FitState.FAILED, message, error=error)
        subject = Subject("fit", fit_id, name, project_id)
        details = {"leaderboard_id": board.id, "budget_seconds": board.budget_seconds}
        audit.record(session, SYSTEM, Action.FIT_CANCELLED, subject, details=details)
    if rows:
        await stop_fits(session, [])
