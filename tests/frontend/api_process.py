"""A small HTTP server that stands for the API's process: it answers with the API's own schemas.

It keeps what it is told in memory, so that a test can look at what the dashboard sent.
"""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image

from backend.accounts.schemas import (
    BrowserSessionOut,
    LinkSignIn,
    PasswordChange,
    SessionList,
    SessionOut,
    TicketOut,
    TokenOut,
    UserOut,
)
from backend.core.access import ProjectRole, Role
from backend.core.schemas import Page, Problem
from backend.datasets.schemas import (
    ColumnOut,
    DatasetOut,
    PreviewOut,
    ProfileOut,
    SuggestedTarget,
    VersionOut,
)
from backend.fits.schemas import (
    EstimatorList,
    EstimatorOut,
    ExcludedColumn,
    FitCreate,
    FitErrorOut,
    FitOut,
    PlotList,
    PlotOut,
    PlotSummary,
    ResidualPage,
    ResidualRow,
)
from backend.fits.states import FitState
from backend.projects.schemas import ProjectOut

NOW = datetime.now(UTC)
PASSWORD = "correct horse battery"
SERVICE_KEY = "service-key-of-the-dashboard-tests-0123456789"
LINK = "gl_first_link"
SHARED_PROJECT = 9


class Refusal(Exception):
    def __init__(self, status: int, detail: str, *, code: str = "test", **fields: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.fields = status, detail, code, fields


@dataclass
class World:
    """What the stand-in knows."""

    users: dict[str, UserOut] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """From a live token of any kind to its user."""
    tickets: dict[str, str] = field(default_factory=dict)
    datasets: dict[int, DatasetOut] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    fits: dict[int, FitOut] = field(default_factory=dict)
    sent_fits: list[FitCreate] = field(default_factory=list)
    sent_keys: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    polls: dict[int, int] = field(default_factory=dict)
    refuse_upload: str = ""
    refuse_fit: Refusal | None = None
    polls_until_done: int = 1
    link_spent: bool = False
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def add_user(self, name: str, role: Role, *, has_password: bool = True) -> None:
        number = len(self.users) + 1
        self.users[name] = UserOut(
            id=number,
            username=name,
            email=None,
            role=role,
            has_password=has_password,
            disabled=False,
            created_at=NOW,
        )
        if has_password:
            self.passwords[name] = PASSWORD

    def new_token(self, prefix: str, user: str) -> str:
        token = f"{prefix}{next(self.counter)}"
        self.tokens[token] = user
        return token

    def sign_out_everywhere(self, user: str) -> None:
        self.tokens = {token: who for token, who in self.tokens.items() if who != user}


def make_dataset(number: int, name: str, owner: str, project: int, **more: Any) -> DatasetOut:
    values: dict[str, Any] = {
        "id": number,
        "name": name,
        "description": "",
        "project_id": project,
        "kind": "table",
        "latest_version": 1,
        "rows": 344,
        "columns": 9,
        "bytes": 15_241,
        "content_digest": "d" * 64,
        "warnings": [],
        "created_by": owner,
        "created_at": NOW - timedelta(minutes=7),
    }
    return DatasetOut.model_validate({**values, **more})


def make_fit(number: int, owner: str, project: int, state: FitState, **more: Any) -> FitOut:
    done = state is FitState.SUCCEEDED
    values: dict[str, Any] = {
        "id": number,
        "name": f"body_mass_g by Ordinary least squares {number}",
        "project_id": project,
        "state": state,
        "progress": 1.0 if done else 0.4,
        "progress_message": "" if done else "Fitting",
        "attempt": 1,
        "task": "regression",
        "estimator": "ordinary_least_squares",
        "params": {"fit_intercept": True},
        "dataset_id": 7,
        "dataset_name": "penguins",
        "version": 1,
        "target": "body_mass_g",
        "features": ["flipper_length_mm", "species"],
        "excluded": [ExcludedColumn(column="rowid", reason="it looks like an identifier")],
        "validation": {"kind": "holdout", "test_size": 0.2, "shuffle": True},
        "seed": 0,
        "metrics": {"r2": 0.86149, "rmse": 301.234, "mae": 240.1} if done else {},
        "baseline_metrics": {"r2": -0.003, "rmse": 811.9, "mae": 690.4} if done else {},
        "rows_used": 273 if done else None,
        "rows_holdout": 69 if done else None,
        "warnings": ["2 rows without a target were left out"] if done else [],
        "tracking": "recorded" if done else "pending",
        "mlflow_run_id": "abc" if done else None,
        "mlflow_url": "http://mlflow.test/#/experiments/1/runs/abc" if done else None,
        "error": None,
        "created_by": owner,
        "created_at": NOW - timedelta(minutes=number % 50),
        "started_at": NOW,
        "finished_at": NOW if done else None,
        "seconds": 0.42 if done else None,
        "tags": {},
    }
    return FitOut.model_validate({**values, **more})


def make_world() -> World:
    world = World()
    world.add_user("ada", Role.MEMBER)
    world.add_user("bob", Role.MEMBER)
    world.add_user("vic", Role.VIEWER)
    world.add_user("admin", Role.ADMIN, has_password=False)
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1)
    world.datasets[8] = make_dataset(8, "bob's secret", "bob", 2)
    world.owners = {7: "ada", 8: "bob"}
    for number in (41, 42):
        world.fits[number] = make_fit(number, "ada", 1, FitState.SUCCEEDED)
    world.fits[43] = make_fit(
        43,
        "ada",
        1,
        FitState.FAILED,
        error=FitErrorOut(message="The target has one value only.", column="sex"),
    )
    world.fits[50] = make_fit(50, "bob", 2, FitState.SUCCEEDED, name="bob's fit")
    return world


def _column(name: str, kind: str, role: str, distinct: int, reason: str | None = None) -> ColumnOut:
    return ColumnOut.model_validate(
        {
            "name": name,
            "type": kind,
            "role": role,
            "nulls": 2,
            "distinct": distinct,
            "left_out_because": reason,
        }
    )


PROFILE = ProfileOut(
    rows=344,
    columns=[
        _column("rowid", "integer", "id", 344, "it looks like an identifier"),
        _column("species", "string", "categorical", 3),
        _column("sex", "string", "categorical", 2),
        _column("flipper_length_mm", "integer", "numeric", 55),
        _column("year", "integer", "numeric", 3),
        _column("body_mass_g", "integer", "numeric", 94),
    ],
    suggested_target=SuggestedTarget(column="body_mass_g", reason="last numeric column"),
    warnings=[],
)


def _estimator(name: str, title: str, tasks: list[str], properties: dict[str, Any]) -> EstimatorOut:
    return EstimatorOut.model_validate(
        {
            "name": name,
            "title": title,
            "summary": f"What {title} does.",
            "reference": "A book",
            "tasks": tasks,
            "params_schema": {"type": "object", "properties": properties},
            "defaults": {key: value.get("default") for key, value in properties.items()},
        }
    )


INTERCEPT = {"type": "boolean", "default": True, "title": "Intercept"}
NEIGHBORS = {"type": "integer", "default": 5, "minimum": 1, "maximum": 1000, "title": "Neighbours"}
WEIGHTS = {"enum": ["uniform", "distance"], "default": "uniform", "title": "Weights"}
TREES = {"type": "integer", "default": 100, "minimum": 1, "maximum": 2000, "title": "Trees"}
ALL_TASKS = ["regression", "binary", "multiclass"]
ESTIMATORS = EstimatorList(
    items=[
        _estimator(
            "k_nearest_neighbors",
            "k-nearest neighbours",
            ALL_TASKS,
            {"n_neighbors": NEIGHBORS, "weights": WEIGHTS},
        ),
        _estimator(
            "ordinary_least_squares",
            "Ordinary least squares",
            ["regression"],
            {"fit_intercept": INTERCEPT},
        ),
        _estimator("random_forest", "Random forest", ALL_TASKS, {"n_estimators": TREES}),
    ]
)


def _token_answer(world: World, user: str, *, rotate: bool = True) -> TokenOut:
    return TokenOut(
        access_token=world.new_token("at_", user),
        expires_in=600,
        refresh_token=world.new_token("gr_", user) if rotate else None,
    )


def create_api(world: World) -> FastAPI:
    """The stand-in as an ASGI application."""
    app = FastAPI()

    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Refusal) -> Response:
        errors = [
            {"loc": ["body", *name.split("__")], "msg": text, "type": "value_error"}
            for name, text in error.fields.items()
        ]
        problem = Problem(
            type="about:blank",
            title="Refused",
            status=error.status,
            detail=error.detail,
            code=error.code,
            request_id="r-1",
            errors=errors or None,
        )
        return JSONResponse(
            problem.model_dump(), error.status, media_type="application/problem+json"
        )

    @app.middleware("http")
    async def note(request: Request, call_next: Any) -> Any:
        world.calls.append(f"{request.method} {request.url.path}")
        return await call_next(request)

    def user_of(request: Request) -> UserOut:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("at_") or token not in world.tokens:
            raise Refusal(401, "Sign in, or send a valid access token.", code="unauthenticated")
        return world.users[world.tokens[token]]

    user = Depends(user_of)
    for add in (
        _add_token,
        _add_sign_in,
        _add_internal,
        _add_own_account,
        _add_dataset_lists,
        _add_dataset_versions,
        _add_fit_lists,
        _add_fit_actions,
        _add_results,
    ):
        add(app, world, user)
    return app


def _add_token(app: FastAPI, world: World, _user: Any) -> None:
    @app.post("/api/v1/auth/token")
    def token(
        grant_type: Annotated[str, Form()] = "password",
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        refresh_token: Annotated[str, Form()] = "",
    ) -> TokenOut:
        if grant_type == "refresh_token":
            who = world.tokens.get(refresh_token)
            if who is None:
                raise Refusal(401, "This session has ended.")
            if not refresh_token.startswith("gb_"):
                del world.tokens[refresh_token]
            return _token_answer(world, who, rotate=not refresh_token.startswith("gb_"))
        if username == "locked":
            raise Refusal(429, "Too many failed sign-ins. Try again in 5 min.")
        if world.passwords.get(username) != password:
            raise Refusal(401, "These credentials were not accepted.")
        return _token_answer(world, username)


def _add_sign_in(app: FastAPI, world: World, user: Any) -> None:
    @app.post("/api/v1/auth/link")
    def link(data: LinkSignIn) -> TokenOut:
        if world.link_spent or data.token != LINK:
            raise Refusal(401, "This link is spent.")
        world.link_spent = True
        return _token_answer(world, "admin")

    @app.post("/api/v1/auth/logout", status_code=204)
    def logout(me: UserOut = user) -> None:
        world.sign_out_everywhere(me.username)

    @app.post("/api/v1/auth/ticket")
    def ticket(me: UserOut = user) -> TicketOut:
        made = f"gt_{next(world.counter)}"
        world.tickets[made] = me.username
        return TicketOut(ticket=made, expires_in=60)


def _add_internal(app: FastAPI, world: World, _user: Any) -> None:
    def service(request: Request) -> None:
        if request.headers.get("x-goodfit-service-key") != SERVICE_KEY:
            raise Refusal(401, "No service key.")

    @app.post("/api/v1/internal/tickets/redeem", dependencies=[Depends(service)])
    def redeem(data: dict[str, str]) -> BrowserSessionOut:
        who = world.tickets.pop(data["ticket"], None)
        if who is None:
            raise Refusal(401, "This ticket is spent.")
        return BrowserSessionOut(session=world.new_token("gb_", who), max_age=3_600)

    @app.post("/api/v1/internal/logout", status_code=204, dependencies=[Depends(service)])
    def logout_cookie(data: dict[str, str]) -> None:
        who = world.tokens.get(data["token"])
        if who is not None:
            world.sign_out_everywhere(who)


def _add_own_account(app: FastAPI, world: World, user: Any) -> None:
    @app.get("/api/v1/users/me")
    def read_me(me: UserOut = user) -> UserOut:
        return me

    @app.post("/api/v1/users/me/password", status_code=204)
    def change(data: PasswordChange, me: UserOut = user) -> None:
        if me.has_password and world.passwords[me.username] != data.old_password:
            text = "this is not the present password"
            raise Refusal(422, text, old_password=text)
        world.passwords[me.username] = data.new_password
        world.users[me.username] = me.model_copy(update={"has_password": True})

    @app.get("/api/v1/users/me/sessions")
    def sessions(me: UserOut = user) -> SessionList:
        return SessionList(
            items=[
                SessionOut(
                    id=me.id * 10 + number,
                    kind="browser" if number else "api",
                    user_agent="Mozilla/5.0 Chrome/130",
                    address="127.0.0.1",
                    current=number == 0,
                    created_at=NOW,
                    last_used_at=NOW,
                    expires_at=NOW + timedelta(hours=12),
                )
                for number in (0, 1)
            ]
        )

    @app.delete("/api/v1/users/me/sessions/{number}", status_code=204)
    def end(number: int, me: UserOut = user) -> None:
        world.calls.append(f"ended {number} of {me.username}")

    @app.get("/api/v1/projects")
    def projects(me: UserOut = user) -> Page[ProjectOut]:
        own = ProjectOut(
            id=me.id,
            name=me.username,
            slug=me.username,
            personal=True,
            my_role=ProjectRole.OWNER,
            created_at=NOW,
        )
        return Page[ProjectOut](items=[own], next_cursor=None)


def _visible_dataset(world: World, me: UserOut, number: int) -> DatasetOut:
    dataset = world.datasets.get(number)
    if dataset is None or (world.owners[number] != me.username and me.role is not Role.ADMIN):
        raise Refusal(404, "There is no such dataset.", code="not_found")
    return dataset


def _visible_fit(world: World, me: UserOut, number: int) -> FitOut:
    fit = world.fits.get(number)
    if fit is None or (fit.created_by != me.username and me.role is not Role.ADMIN):
        raise Refusal(404, "There is no such thing.", code="not_found")
    return fit


def _add_dataset_lists(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/datasets"

    @app.get(base)
    def list_datasets(me: UserOut = user) -> Page[DatasetOut]:
        items = [
            dataset
            for number, dataset in world.datasets.items()
            if world.owners[number] == me.username
        ]
        return Page[DatasetOut](items=items, next_cursor=None)

    @app.post(base, status_code=201)
    async def upload(request: Request, me: UserOut = user) -> DatasetOut:
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            file_name = str(file.filename)
        if world.refuse_upload:
            raise Refusal(422, world.refuse_upload, file=world.refuse_upload)
        world.uploads.append(file_name)
        world.sent_keys.append(request.headers["idempotency-key"])
        number = next(world.counter)
        dataset = make_dataset(number, file_name.split(".")[0], me.username, me.id)
        world.datasets[number], world.owners[number] = dataset, me.username
        return dataset

    @app.get(base + "/{number}")
    def read(number: int, me: UserOut = user) -> DatasetOut:
        return _visible_dataset(world, me, number)


def _add_dataset_versions(app: FastAPI, world: World, user: Any) -> None:
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
                created_at=NOW,
            )
            for version in range(dataset.latest_version, 0, -1)
        ]
        return Page[VersionOut](items=items, next_cursor=None)

    @app.get(base + "/versions/{version}/profile")
    def profile(number: int, version: int, me: UserOut = user) -> ProfileOut:
        if version > _visible_dataset(world, me, number).latest_version:
            raise Refusal(404, "There is no such version.", code="not_found")
        return PROFILE

    @app.get(base + "/versions/{version}/preview")
    def preview(number: int, version: int, me: UserOut = user) -> PreviewOut:
        _visible_dataset(world, me, number)
        columns = ["species", "flipper_length_mm", "body_mass_g"]
        rows: list[list[Any]] = [["Adelie", 181, 3750], ["![x](http://evil.test/x.png)", None, 1]]
        return PreviewOut(columns=columns, rows=rows, total_rows=344 + version)

    @app.get(base + "/versions/{version}/download")
    def download(number: int, version: int, me: UserOut = user) -> Response:
        _visible_dataset(world, me, number)
        headers = {"Content-Disposition": f"attachment; filename=v{version}.csv", "ETag": '"abc"'}
        return Response(b"a,b\n1,2\n", media_type="application/octet-stream", headers=headers)


def _add_fit_lists(app: FastAPI, world: World, user: Any) -> None:
    base = "/api/v1/fits"

    @app.get("/api/v1/estimators")
    def estimators(me: UserOut = user) -> EstimatorList:
        assert me
        return ESTIMATORS

    @app.get(base)
    def list_fits(me: UserOut = user, state: str | None = None) -> Page[FitOut]:
        items = [
            fit
            for fit in sorted(world.fits.values(), key=lambda fit: -fit.id)
            if fit.created_by == me.username and state in (None, fit.state.value)
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


def _add_fit_actions(app: FastAPI, world: World, user: Any) -> None:
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


def _add_results(app: FastAPI, world: World, user: Any) -> None:
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
        return ResidualPage(items=rows, total=69)


@contextmanager
def running_api(world: World) -> Iterator[str]:
    """The stand-in on a free port; the address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(create_api(world), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > deadline:
            raise HTTPException(503, "the stand-in did not start")
        time.sleep(0.01)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
