"""The API as the dashboard sees it: typed calls, and errors by who must act.

ApiError
├── Unreachable   the server does not answer, or fails (5xx): the user tries again, nothing is lost
├── SignedOut     the session ended: the login form
└── Refused       the server says no and why (RFC 9457 problem)
    └── NotThere  404: absent, or not shared with the user
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import httpx
from pydantic import BaseModel

from backend.accounts.schemas import SessionList, TicketOut, TokenOut, UserOut
from backend.core.schemas import Page, Problem
from backend.fits.schemas import (
    EstimatorList,
    FitCreate,
    FitOut,
    PlotList,
    PlotOut,
    ResidualPage,
)
from backend.projects.schemas import ProjectOut

BASE: Final = "/api/v1"
TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
UPLOAD_TIMEOUT: Final = httpx.Timeout(300.0, connect=2.0)
# A token that expires while its request is on the way would look like a sign-out.
EXPIRY_MARGIN_SECONDS: Final = 30
UNEXPLAINED: Final = "The server has a problem."

Answer = TypeVar("Answer", bound=BaseModel)


class ApiError(Exception):
    """A call that did not give what was asked for."""


class Unreachable(ApiError):
    """The server does not answer, or not with an answer of its own (5xx)."""


class SignedOut(ApiError):
    """The session has ended."""


@dataclass
class Refused(ApiError):
    """The server refused, and says why."""

    status: int
    code: str
    detail: str
    request_id: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    """What is wrong with which field, by the field's dotted name."""

    def __str__(self) -> str:
        return self.detail


class NotThere(Refused):
    """Absent, or not shared with the user."""


@dataclass(frozen=True)
class Tokens:
    """What a signed-in session holds; kept in server memory, never in a cache or a page."""

    access: str
    refresh: str
    expires_at: float

    @classmethod
    def from_answer(cls, answer: TokenOut, *, refresh: str | None = None) -> "Tokens":
        """`refresh` is what was used: a browser's session does not rotate."""
        return cls(
            access=answer.access_token,
            refresh=answer.refresh_token or refresh or "",
            expires_at=time.time() + answer.expires_in - EXPIRY_MARGIN_SECONDS,
        )


@dataclass
class RefreshGuard:
    """Lets one thread of a session refresh at a time: a rotated token counts as stolen."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    used: str = ""
    """The refresh token that gave `renewed`; a stopped script may not have stored that."""
    renewed: Tokens | None = None


class TokenStore(Protocol):
    """Where the tokens of one user's session are kept."""

    tokens: Tokens | None

    @property
    def refresh_guard(self) -> RefreshGuard: ...


@cache
def connection_pool(base_url: str) -> httpx.Client:
    """Connections only, shared by all users: it must never carry a user's token."""
    return httpx.Client(
        base_url=base_url,
        timeout=TIMEOUT,
        headers={"User-Agent": "goodfit-ui"},
        # Tokens must not go through a proxy that the environment names.
        trust_env=False,
    )


def _refusal(response: httpx.Response) -> Refused:
    kind = NotThere if response.status_code == httpx.codes.NOT_FOUND else Refused
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return kind(response.status_code, "unknown", UNEXPLAINED)
    fields = {}
    for entry in problem.errors or []:
        location = entry.get("loc")
        parts = [str(part) for part in location] if isinstance(location, list) else []
        fields[".".join(parts[1:])] = str(entry.get("msg", ""))
    return kind(response.status_code, problem.code, problem.detail, problem.request_id, fields)


def send(pool: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """One request; raises an `ApiError` for everything but success."""
    try:
        response = pool.request(method, BASE + path, **options)
    except httpx.HTTPError as error:
        raise Unreachable(type(error).__name__) from error
    _require_success(response)
    return response


@contextmanager
def stream(pool: httpx.Client, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
    """One request whose answer is read piece by piece; errors as those of `send`."""
    try:
        with pool.stream(method, BASE + path, **options) as response:
            if not response.is_success:
                response.read()
            _require_success(response)
            yield response
    except httpx.HTTPError as error:
        raise Unreachable(type(error).__name__) from error


def _require_success(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SignedOut
    if response.is_server_error:
        raise Unreachable(f"status {response.status_code}")
    if response.is_error:
        raise _refusal(response)


def _sign_in(pool: httpx.Client, path: str, **options: Any) -> TokenOut:
    return TokenOut.model_validate_json(send(pool, "POST", path, **options).content)


def sign_in(
    pool: httpx.Client, username: str, password: str, *, origin: Mapping[str, str]
) -> Tokens:
    """By password; raises `SignedOut` where it is not accepted.

    `origin` are headers that tell the browser's address and program: failed tries count by
    address, and all would come from this process.
    """
    form = {"grant_type": "password", "username": username, "password": password}
    return Tokens.from_answer(_sign_in(pool, "/auth/token", data=form, headers=origin))


def sign_in_by_link(pool: httpx.Client, token: str, *, origin: Mapping[str, str]) -> Tokens:
    """By a one-time link; raises `SignedOut` or `Refused` where it is spent."""
    body = {"token": token}
    return Tokens.from_answer(_sign_in(pool, "/auth/link", json=body, headers=origin))


def resume(pool: httpx.Client, refresh: str) -> Tokens:
    """By a refresh token or a browser's cookie; raises `SignedOut` where it has ended."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return Tokens.from_answer(_sign_in(pool, "/auth/token", data=form), refresh=refresh)


@dataclass(frozen=True)
class FitQuery:
    """Which fits a list is about."""

    state: str | None = None
    estimator: str | None = None
    project_id: int | None = None
    dataset_id: int | None = None
    mine: bool = False
    limit: int = 100

    def parameters(self) -> dict[str, str | int]:
        """As query parameters, without those that are not set."""
        wanted = {
            "state": self.state,
            "estimator": self.estimator,
            "project_id": self.project_id,
            "dataset_id": self.dataset_id,
            "mine": "true" if self.mine else None,
            "limit": self.limit,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class Api:
    """The API on behalf of one signed-in user.

    `told` are headers that say for which browser: the audit is to name its address, not ours.
    """

    def __init__(
        self, pool: httpx.Client, store: TokenStore, told: Mapping[str, str] | None = None
    ) -> None:
        self._pool = pool
        self._store = store
        self._told = told or {}

    def _access_token(self) -> str:
        tokens = self._store.tokens
        if tokens is None:
            raise SignedOut
        if time.time() >= tokens.expires_at:
            tokens = self._refresh()
        return tokens.access

    def _refresh(self) -> Tokens:
        guard = self._store.refresh_guard
        with guard.lock:
            tokens = self._store.tokens
            if tokens is None:
                raise SignedOut
            if time.time() < tokens.expires_at:
                return tokens
            if guard.renewed is not None and guard.used == tokens.refresh:
                tokens = guard.renewed
            if time.time() >= tokens.expires_at:
                guard.used, guard.renewed = tokens.refresh, resume(self._pool, tokens.refresh)
                tokens = guard.renewed
            self._store.tokens = tokens
            return tokens

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return send(self._pool, method, path, **self._authorized(options))

    def _stream(
        self, method: str, path: str, **options: Any
    ) -> AbstractContextManager[httpx.Response]:
        return stream(self._pool, method, path, **self._authorized(options))

    def _authorized(self, options: dict[str, Any]) -> dict[str, Any]:
        token = {"Authorization": f"Bearer {self._access_token()}"}
        return {**options, "headers": {**options.get("headers", {}), **self._told, **token}}

    def _get(self, kind: type[Answer], path: str, /, **parameters: Any) -> Answer:
        return kind.model_validate_json(self._send("GET", path, params=parameters).content)

    def _post(self, kind: type[Answer], path: str, **options: Any) -> Answer:
        return kind.model_validate_json(self._send("POST", path, **options).content)

    # Accounts

    def me(self) -> UserOut:
        return self._get(UserOut, "/users/me")

    def change_password(self, old: str | None, new: str) -> None:
        self._send("POST", "/users/me/password", json={"old_password": old, "new_password": new})

    def sessions(self) -> SessionList:
        return self._get(SessionList, "/users/me/sessions")

    def end_session(self, session_id: int) -> None:
        self._send("DELETE", f"/users/me/sessions/{session_id}")

    def ticket(self) -> str:
        """A ticket that the browser swaps for its cookie, once and soon."""
        return self._post(TicketOut, "/auth/ticket").ticket

    def sign_out(self) -> None:
        self._send("POST", "/auth/logout")

    def projects(self) -> list[ProjectOut]:
        return self._get(Page[ProjectOut], "/projects", limit=200).items

    # Fits

    def estimators(self) -> EstimatorList:
        return self._get(EstimatorList, "/estimators")

    def fits(self, query: FitQuery) -> list[FitOut]:
        return self._get(Page[FitOut], "/fits", **query.parameters()).items

    def fit(self, fit_id: int) -> FitOut:
        return self._get(FitOut, f"/fits/{fit_id}")

    def create_fit(self, wanted: FitCreate, *, key: str) -> FitOut:
        body = wanted.model_dump(mode="json", exclude_none=True)
        return self._post(FitOut, "/fits", json=body, headers={"Idempotency-Key": key})

    def cancel_fit(self, fit_id: int) -> FitOut:
        return self._post(FitOut, f"/fits/{fit_id}/cancel")

    def rerun_fit(self, fit_id: int, *, key: str) -> FitOut:
        return self._post(FitOut, f"/fits/{fit_id}/rerun", headers={"Idempotency-Key": key})

    def plots(self, fit_id: int) -> PlotList:
        return self._get(PlotList, f"/fits/{fit_id}/plots")

    def plot(self, fit_id: int, kind: str) -> PlotOut:
        return self._get(PlotOut, f"/fits/{fit_id}/plots/{kind}")

    def residuals(self, fit_id: int, *, limit: int) -> ResidualPage:
        return self._get(ResidualPage, f"/fits/{fit_id}/residuals", limit=limit)
