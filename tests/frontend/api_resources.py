"""Datasets and fits of the stand-in for the API."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from PIL import Image

from backend.accounts.schemas import (
    UserOut,
)
from backend.core.schemas import Page
from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.schemas import DatasetOut, ImageList, ImageOut, PreviewOut, VersionOut
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
    IMAGE_PROFILE,
    NOW,
    PROFILE,
    Refusal,
    World,
    make_dataset,
    make_fit,
)

FormatQuery = Annotated[str, Query(alias="format")]


def _visible_dataset(world: World, me: UserOut, number: int) -> DatasetOut:
    dataset = world.datasets.get(number)
    if dataset is None or not world.may_read(me, dataset.project_id):
        raise Refusal(404, "There is no such dataset.", code="not_found")
    return dataset


def _visible_fit(world: World, me: UserOut, number: int) -> FitOut:
    fit = world.fits.get(number)
    if fit is None or not world.may_read(me, fit.project_id):
        raise Refusal(404, "There is no such thing.", code="not_found")
    return fit


def add_dataset_lists(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/datasets"

    @app.get(base)
    def list_datasets(project_id: int | None = None, me: UserOut = user) -> Page[DatasetOut]:
        items = [
            dataset
            for dataset in world.datasets.values()
            if world.may_read(me, dataset.project_id) and project_id in (None, dataset.project_id)
        ]
        return Page[DatasetOut](items=items, next_cursor=None)

    @app.post(base, status_code=201)
    async def upload(request: Request, me: UserOut = user) -> DatasetOut:
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            file_name = str(file.filename)
            project_id = int(str(form.get("project_id", me.id)))
        if world.refuse_upload:
            raise Refusal(422, world.refuse_upload, file=world.refuse_upload)
        world.uploads.append(file_name)
        world.sent_keys.append(request.headers["idempotency-key"])
        number = next(world.counter)
        dataset = make_dataset(number, file_name.split(".")[0], me.username, project_id)
        world.datasets[number] = dataset
        return dataset

    @app.get(base + "/{number}")
    def read(number: int, me: UserOut = user) -> DatasetOut:
        return _visible_dataset(world, me, number)


def add_dataset_versions(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/datasets/{number}"

    @app.get(base + "/versions")
    def versions(number: int, me: UserOut = user) -> Page[VersionOut]:
        dataset = _visible_dataset(world, me, number)
        items = [
            VersionOut(
                version=version,
                sha256="e" * 64,
                content_digest="d" * 64,
                rows=dataset.rows,
                columns=dataset.columns,
                bytes=dataset.bytes,
                file_name=f"{dataset.name}.csv",
                origin="upload",
                warnings=[],
                created_by=me.username,
                created_at=NOW,
            )
            for version in range(dataset.latest_version, 0, -1)
        ]
        return Page[VersionOut](items=items, next_cursor=None)

    @app.get(base + "/versions/{version}/profile")
    def profile(number: int, version: int, me: UserOut = user) -> ProfileOut:
        dataset = _visible_dataset(world, me, number)
        if version > dataset.latest_version:
            raise Refusal(404, "There is no such version.", code="not_found")
        return IMAGE_PROFILE if dataset.kind == "image" else PROFILE

    @app.get(base + "/versions/{version}/images")
    def images(number: int, version: int, limit: int, me: UserOut = user) -> ImageList:
        total = _visible_dataset(world, me, number).rows
        items = [ImageOut(row=row, label='<b>"7"', name=f"{row}.png") for row in range(limit)]
        assert version
        return ImageList(items=items, total=total)

    @app.get(base + "/versions/{version}/images/{row}.png")
    def image(number: int, version: int, row: int, me: UserOut = user) -> Response:
        if row >= _visible_dataset(world, me, number).rows:
            raise Refusal(404, "This version has no such image.")
        buffer = BytesIO()
        Image.new("L", (28, 28), version).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png", headers={"ETag": '"image"'})

    @app.get(base + "/versions/{version}/preview")
    def preview(number: int, version: int, me: UserOut = user) -> PreviewOut:
        _visible_dataset(world, me, number)
        columns = ["species", "flipper_length_mm", "body_mass_g"]
        rows: list[list[Any]] = [["Adelie", 181, 3750], ["![x](http://evil.test/x.png)", None, 1]]
        return PreviewOut(columns=columns, rows=rows, total_rows=344 + version)

    @app.get(base + "/versions/{version}/download")
    def download(
        number: int, version: int, form: FormatQuery = "none", me: UserOut = user
    ) -> Response:
        _visible_dataset(world, me, number)
        name = f"v{version}-{form}"
        headers = {"Content-Disposition": f"attachment; filename={name}", "ETag": '"abc"'}
        return Response(b"a,b\n1,2\n", media_type="application/octet-stream", headers=headers)


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
