"""Leaderboards over HTTP: try several estimators, watch who leads, end it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response, status

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page
from backend.fits import leaderboards
from backend.fits.leaderboard_repository import Entry, LeaderboardRepository, clock
from backend.fits.leaderboard_schemas import LeaderboardCreate, LeaderboardDetail, LeaderboardOut
from backend.fits.states import FINAL_STATES
from backend.science.metrics import METRICS
from backend.tables import Leaderboard

router = APIRouter(prefix="/leaderboards", tags=["leaderboards"])


def _seconds_left(board: Leaderboard, now: datetime) -> float | None:
    if board.state != "running" or board.started_at is None:
        return None
    return max(0.0, board.budget_seconds - (now - board.started_at).total_seconds())


def _content(board: Leaderboard, ranked: Sequence[Entry], now: datetime) -> dict[str, Any]:
    return {
        "id": board.id,
        "project_id": board.project_id,
        "name": board.name,
        "dataset_id": board.dataset_id,
        "dataset_name": board.dataset.name,
        "version": board.dataset_version.version,
        "target": board.target,
        "request": board.request,
        "main_metric": board.main_metric,
        "greater_is_better": METRICS[board.main_metric].greater_is_better,
        "budget_seconds": board.budget_seconds,
        "seconds_left": _seconds_left(board, now),
        "state": board.state,
        "total": len(ranked),
        "unfinished": sum(entry.state not in FINAL_STATES for entry in ranked),
        "best_fit_id": leaderboards.best_of(ranked),
        "created_by": board.creator.username,
        "created_at": board.created_at,
        "started_at": board.started_at,
        "finished_at": board.finished_at,
    }


async def _described(repository: LeaderboardRepository, rows: Sequence[Leaderboard]) -> list[Any]:
    entries = await repository.list_entries(rows)
    now = await clock(repository.session)
    return [_content(board, leaderboards.ranked(board, entries[board.id]), now) for board in rows]


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def create_leaderboard(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    data: LeaderboardCreate,
    response: Response,
) -> LeaderboardOut:
    """Queue a fit for each estimator: of the whole catalogue, or of those that are named."""
    board = await leaderboards.start_leaderboard(
        session, viewer, data, limits=settings.fits, idempotency=idempotency
    )
    response.headers["Location"] = f"/api/v1/leaderboards/{board.id}"
    (content,) = await _described(LeaderboardRepository(session, viewer), [board])
    return LeaderboardOut.model_validate(content)


@router.get("")
async def list_leaderboards(
    session: SessionDep,
    viewer: ViewerDep,
    page: PageDep,
    signer: SignerDep,
    project_id: Annotated[Id | None, Query()] = None,
    dataset_id: Annotated[Id | None, Query()] = None,
) -> Page[LeaderboardOut]:
    """Leaderboards that the caller may read."""
    repository = LeaderboardRepository(session, viewer)
    rows, next_cursor = await repository.page(
        page, signer, project_id=project_id, dataset_id=dataset_id
    )
    contents = await _described(repository, rows)
    items = [LeaderboardOut.model_validate(content) for content in contents]
    return Page[LeaderboardOut](items=items, next_cursor=next_cursor)


@router.get("/{leaderboard_id}")
async def read_leaderboard(
    session: SessionDep, viewer: ViewerDep, leaderboard_id: Id
) -> LeaderboardDetail:
    """One leaderboard with its fits, the best first."""
    repository = LeaderboardRepository(session, viewer)
    board = await repository.get(leaderboard_id)
    entries = (await repository.list_entries([board]))[board.id]
    ranked = leaderboards.ranked(board, entries)
    fits = await leaderboards.summaries(session, viewer, ranked)
    content = _content(board, ranked, await clock(session))
    return LeaderboardDetail.model_validate({**content, "fits": fits})


@router.post("/{leaderboard_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel_leaderboard(
    session: SessionDep, viewer: WriterDep, leaderboard_id: Id
) -> LeaderboardOut:
    """Cancel what waits or runs of it; what is done stays."""
    board = await leaderboards.cancel_leaderboard(session, viewer, leaderboard_id)
    (content,) = await _described(LeaderboardRepository(session, viewer), [board])
    return LeaderboardOut.model_validate(content)


@router.delete("/{leaderboard_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_leaderboard(session: SessionDep, viewer: WriterDep, leaderboard_id: Id) -> None:
    """Move it to the trash; its fits stay, and what waits or runs is cancelled."""
    await leaderboards.trash_leaderboard(session, viewer, leaderboard_id)
