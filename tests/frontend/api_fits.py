"""Logs, trials, coefficients, second runs, stars and bulk actions of the stand-in for the API."""

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Response

from backend.accounts.schemas import UserOut
from backend.core.schemas import Page
from backend.fits.leaderboard_schemas import LeaderboardCreate, LeaderboardDetail, LeaderboardOut
from backend.fits.metric_schemas import MetricList
from backend.fits.result_schemas import (
    CoefficientList,
    LogOut,
    ReproductionList,
    ReproductionOut,
    TrialList,
)
from backend.fits.schemas import BulkOut, BulkRequest, EstimateOut, FitOut, FitSummary
from backend.fits.states import FitState
from tests.frontend.fit_world import METRICS
from tests.frontend.world import Refusal, World


def visible_fit(world: World, me: UserOut, number: int) -> FitOut:
    fit = world.fits.get(number)
    if fit is None or not world.may_read(me, fit.project_id):
        raise Refusal(404, "There is no such thing.", code="not_found")
    return fit


def summary(fit: FitOut) -> FitSummary:
    return FitSummary.model_validate({name: getattr(fit, name) for name in FitSummary.model_fields})


def add_fit_logs(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits/{number}"

    @app.get("/api/v1/metrics")
    def metrics(me: UserOut = user) -> MetricList:
        assert me
        return METRICS

    @app.post("/api/v1/fits/estimate")
    def estimate(data: dict[str, Any], me: UserOut = user) -> EstimateOut:
        assert me
        world.desk.estimated.append(data)
        return world.desk.estimate

    @app.get(base + "/log")
    def log(number: int, after: int = 0, me: UserOut = user) -> LogOut:
        visible_fit(world, me, number)
        events = [event for event in world.desk.events.get(number, []) if event.id > after]
        return LogOut(items=events, last_id=events[-1].id if events else after)

    @app.get(base + "/trials")
    def trials(number: int, me: UserOut = user) -> TrialList:
        visible_fit(world, me, number)
        return world.desk.trials[number]

    @app.get(base + "/coefficients")
    def coefficients(number: int, me: UserOut = user) -> CoefficientList:
        visible_fit(world, me, number)
        return world.desk.coefficients[number]


def add_second_runs(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits/{number}/reproductions"

    @app.get("/api/v1/fits/{number}/script")
    def script(number: int, me: UserOut = user) -> Response:
        visible_fit(world, me, number)
        return Response(f"print({number})\n", media_type="text/x-python")

    @app.get(base)
    def runs(number: int, me: UserOut = user) -> ReproductionList:
        visible_fit(world, me, number)
        return ReproductionList(items=world.desk.reproductions.get(number, []))

    @app.post(base, status_code=202)
    def reproduce(number: int, me: UserOut = user) -> ReproductionOut:
        visible_fit(world, me, number)
        run = ReproductionOut(
            id=next(world.counter),
            fit_id=number,
            state=world.desk.second_runs_end,
            progress=1.0,
            progress_message="",
            differences=[],
            environment={},
            error=None,
            created_by=me.username,
            created_at=datetime.now(UTC),
            finished_at=None,
        )
        world.desk.reproductions.setdefault(number, []).insert(0, run)
        return run

    @app.post(base + "/{run_id}/cancel", status_code=202)
    def cancel(number: int, run_id: int, me: UserOut = user) -> ReproductionOut:
        visible_fit(world, me, number)
        kept = world.desk.reproductions[number]
        place = next(place for place, run in enumerate(kept) if run.id == run_id)
        kept[place] = kept[place].model_copy(update={"state": "cancelled"})
        return kept[place]


def add_organising(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits"

    @app.put(base + "/{number}/star", status_code=204)
    def star(number: int, me: UserOut = user) -> None:
        _set(world, me, number, starred=True)

    @app.delete(base + "/{number}/star", status_code=204)
    def unstar(number: int, me: UserOut = user) -> None:
        _set(world, me, number, starred=False)

    @app.delete(base + "/{number}", status_code=204)
    def trash(number: int, me: UserOut = user) -> None:
        _set(world, me, number, trashed_at=datetime.now(UTC))

    @app.post(base + "/bulk")
    def bulk(data: BulkRequest, me: UserOut = user) -> BulkOut:
        world.desk.bulk.append(data)
        for number in data.ids:
            _set(world, me, number, **_changes(world.fits[number], data))
        return BulkOut(changed=data.ids, unchanged=[])


def changed_fit(world: World, me: UserOut, number: int, data: dict[str, Any]) -> FitOut:
    """Name, notes, tags or the archive."""
    changes = {name: value for name, value in data.items() if name != "archived"}
    if "archived" in data:
        changes["archived_at"] = datetime.now(UTC) if data["archived"] else None
    return _set(world, me, number, **changes)


def _set(world: World, me: UserOut, number: int, **changes: Any) -> FitOut:
    world.fits[number] = visible_fit(world, me, number).model_copy(update=changes)
    return world.fits[number]


def _changes(fit: FitOut, data: BulkRequest) -> dict[str, Any]:
    now = datetime.now(UTC)
    changes: dict[str, dict[str, Any]] = {
        "cancel": {"state": FitState.CANCELLED},
        "archive": {"archived_at": now},
        "unarchive": {"archived_at": None},
        "trash": {"trashed_at": now},
        "restore": {"trashed_at": None},
        "tag": {"tags": {**fit.tags, **data.tags}},
        "star": {"starred": True},
        "unstar": {"starred": False},
    }
    return changes[data.action]


def add_leaderboards(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/leaderboards"

    def visible(me: UserOut, number: int) -> LeaderboardOut:
        board = world.desk.boards.get(number)
        if board is None or not world.may_read(me, board.project_id):
            raise Refusal(404, "There is no such thing.", code="not_found")
        return board

    def detail(board: LeaderboardOut) -> LeaderboardDetail:
        fits = [fit for fit in world.fits.values() if fit.leaderboard_id == board.id]
        ranked = sorted(fits, key=lambda fit: -fit.metrics.get("r2", -9.0))
        return LeaderboardDetail(**board.model_dump(), fits=[summary(fit) for fit in ranked])

    @app.get(base)
    def boards(me: UserOut = user, project_id: int | None = None) -> Page[LeaderboardOut]:
        items = [
            board
            for board in world.desk.boards.values()
            if world.may_read(me, board.project_id) and project_id in (None, board.project_id)
        ]
        return Page[LeaderboardOut](items=items, next_cursor=None)

    @app.post(base, status_code=202)
    def create(data: LeaderboardCreate, me: UserOut = user) -> LeaderboardDetail:
        world.desk.sent_boards.append(data)
        if world.refuse_fit is not None:
            raise world.refuse_fit
        board = make_board(next(world.counter), me.username, me.id)
        world.desk.boards[board.id] = board
        return detail(board)

    @app.get(base + "/{number}")
    def read(number: int, me: UserOut = user) -> LeaderboardDetail:
        return detail(visible(me, number))

    @app.post(base + "/{number}/cancel", status_code=202)
    def cancel(number: int, me: UserOut = user) -> LeaderboardDetail:
        board = visible(me, number).model_copy(update={"state": "cancelled"})
        world.desk.boards[number] = board
        return detail(board)

    @app.delete(base + "/{number}", status_code=204)
    def delete(number: int, me: UserOut = user) -> None:
        visible(me, number)
        del world.desk.boards[number]


def make_board(number: int, owner: str, project: int, **more: Any) -> LeaderboardOut:
    values: dict[str, Any] = {
        "id": number,
        "project_id": project,
        "name": f"body_mass_g on penguins {number}",
        "dataset_id": 7,
        "dataset_name": "penguins",
        "version": 1,
        "target": "body_mass_g",
        "request": {},
        "main_metric": "r2",
        "greater_is_better": True,
        "budget_seconds": 300,
        "seconds_left": 120.0,
        "state": "running",
        "total": 3,
        "unfinished": 1,
        "best_fit_id": None,
        "created_by": owner,
        "created_at": datetime.now(UTC),
        "started_at": None,
        "finished_at": None,
    }
    return LeaderboardOut.model_validate({**values, **more})
