"""Fits of the stand-in for the API."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from PIL import Image

from backend.accounts.schemas import (
    UserOut,
)
from backend.core.schemas import Page
from backend.fits.schemas import (
    EstimatorList,
    FitCreate,
    FitOut,
    PlotList,
    PlotOut,
    PlotSummary,
    ResidualPage,
    ResidualRow,
)
from backend.fits.states import FitState
from tests.frontend.world import (
    ESTIMATORS,
    Refusal,
    World,
    make_fit,
)

FormatQuery = Annotated[str, Query(alias="format")]


def _visible_fit(world: World, me: UserOut, number: int) -> FitOut:
    fit = world.fits.get(number)
    if fit is None or not world.may_read(me, fit.project_id):
        raise Refusal(404, "There is no such thing.", code="not_found")
    return fit


def add_fit_lists(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits"

    @app.get("/api/v1/estimators")
    def estimators(me: UserOut = user) -> EstimatorList:
        assert me
        return ESTIMATORS

    @app.get(base)
    def list_fits(
        me: UserOut = user,
        state: str | None = None,
        project_id: int | None = None,
        mine: bool = False,
    ) -> Page[FitOut]:
        items = [
            fit
            for fit in sorted(world.fits.values(), key=lambda fit: -fit.id)
            if world.may_read(me, fit.project_id)
            and state in (None, fit.state.value)
            and project_id in (None, fit.project_id)
            and (not mine or fit.created_by == me.username)
        ]
        return Page[FitOut](items=items, next_cursor=None)

    @app.post(base, status_code=202)
    def create(data: FitCreate, request: Request, me: UserOut = user) -> FitOut:
        world.sent_fits.append(data)
        world.sent_keys.append(request.headers["idempotency-key"])
        if world.refuse_fit is not None:
            raise world.refuse_fit
        number = next(world.counter)
        name = data.name or f"{data.target} by {data.estimator}"
        dataset = world.datasets[data.dataset_id]
        fit = make_fit(
            number,
            me.username,
            me.id,
            FitState.QUEUED,
            name=name,
            dataset_id=dataset.id,
            created_at=datetime.now(UTC),
        )
        world.fits[number] = fit
        return fit


def add_fit_actions(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits"

    @app.get(base + "/{number}")
    def read(number: int, me: UserOut = user) -> FitOut:
        fit = _visible_fit(world, me, number)
        if fit.state in (FitState.QUEUED, FitState.RUNNING):
            world.polls[number] = world.polls.get(number, 0) + 1
            if world.polls[number] > world.polls_until_done:
                done = make_fit(number, me.username, fit.project_id, FitState.SUCCEEDED)
                fit = done.model_copy(update={"name": fit.name, "created_at": fit.created_at})
            else:
                fit = fit.model_copy(update={"state": FitState.RUNNING})
            world.fits[number] = fit
        return fit

    @app.post(base + "/{number}/cancel", status_code=202)
    def cancel(number: int, me: UserOut = user) -> FitOut:
        fit = _visible_fit(world, me, number).model_copy(update={"state": FitState.CANCELLED})
        world.fits[number] = fit
        return fit

    @app.post(base + "/{number}/rerun", status_code=202)
    def rerun(number: int, me: UserOut = user) -> FitOut:
        again = next(world.counter)
        fit = _visible_fit(world, me, number).model_copy(
            update={"id": again, "state": FitState.QUEUED}
        )
        world.fits[again] = fit
        return fit


def add_results(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits"

    @app.get(base + "/{number}/plots")
    def plots(number: int, me: UserOut = user) -> PlotList:
        _visible_fit(world, me, number)
        summary = PlotSummary(kind="residuals", title="Residuals", verdict="The red line bends.")
        return PlotList(items=[summary])

    @app.get(base + "/{number}/plots/{kind}.png")
    def picture(number: int, kind: str, request: Request, me: UserOut = user) -> Response:
        _visible_fit(world, me, number)
        if kind != "residuals":
            raise Refusal(404, "This fit has no such plot.")
        headers = {"ETag": '"plot"', "Cache-Control": "private"}
        if request.headers.get("if-none-match") == '"plot"':
            return Response(status_code=304, headers=headers)
        buffer = BytesIO()
        Image.new("RGB", (80, 60), "#2a9d90").save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png", headers=headers)

    @app.get(base + "/{number}/plots/{kind}")
    def plot(number: int, kind: str, me: UserOut = user) -> PlotOut:
        _visible_fit(world, me, number)
        return PlotOut(
            kind=kind,
            title="Residuals",
            verdict="The red line bends: the relation looks non-linear.",
            advice="Try a spline or a tree.",
            alt='Residuals against fitted values of "body_mass_g".',
            data={},
        )

    @app.get(base + "/{number}/residuals")
    def residuals(number: int, limit: int = 100, me: UserOut = user) -> ResidualPage:
        _visible_fit(world, me, number)
        rows = [
            ResidualRow(row=row, observed=3_000 + row, predicted=3_500.5, residual=-500.5 + row)
            for row in range(limit)
        ]
        return ResidualPage(items=world.residuals or rows, total=69)
