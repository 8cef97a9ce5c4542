"""A small HTTP server that stands for the API's process: it answers with the API's own schemas."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from backend.accounts.schemas import (
    BrowserSessionOut,
    LinkToken,
    PasswordChange,
    SessionList,
    SessionOut,
    TicketOut,
    TokenOut,
    UserOut,
)
from backend.core.schemas import Problem
from tests.frontend.api_accounts import (
    add_audit,
    add_own_tokens,
    add_service_accounts,
    add_user_changes,
    add_users,
    add_ways_in,
)
from tests.frontend.api_cleaning import add_cleaning
from tests.frontend.api_datasets import (
    add_dataset_content,
    add_dataset_files,
    add_dataset_lists,
    add_dataset_uses,
    add_dataset_versions,
)
from tests.frontend.api_models import (
    add_aliases,
    add_model_versions,
    add_models,
    add_predictions,
)
from tests.frontend.api_projects import add_members, add_moves, add_projects
from tests.frontend.api_resources import (
    add_fit_actions,
    add_fit_lists,
    add_results,
)
from tests.frontend.api_retraining import (
    add_operations,
    add_policies,
    add_retraining,
    add_retraining_decisions,
)
from tests.frontend.world import (
    LINK,
    NOW,
    SERVICE_KEY,
    Refusal,
    World,
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
    for add in _parts():
        add(app, world, user)
    return app


def _parts() -> tuple[Callable[[FastAPI, World, Any], None], ...]:
    return (
        _add_token,
        _add_sign_in,
        _add_internal,
        _add_own_account,
        add_projects,
        add_members,
        add_moves,
        add_dataset_lists,
        add_dataset_versions,
        add_dataset_content,
        add_dataset_uses,
        add_dataset_files,
        add_cleaning,
        add_fit_lists,
        add_fit_actions,
        add_results,
        add_models,
        add_model_versions,
        add_aliases,
        add_predictions,
        add_retraining,
        add_retraining_decisions,
        add_policies,
        add_operations,
        add_own_tokens,
        add_users,
        add_user_changes,
        add_service_accounts,
        add_ways_in,
        add_audit,
    )


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
    def link(data: LinkToken) -> TokenOut:
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
