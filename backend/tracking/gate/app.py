"""MLflow's server with its auth app, inside an ASGI gate that lets in whom the platform knows."""

import json
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import anyio.to_thread
from mlflow.server import auth
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.settings import Settings
from backend.tracking.gate.identity import Caller, Identities, IdentityUnavailable, configure
from backend.tracking.gate.rules import (
    OPEN_PATHS,
    READ_METHODS,
    body_is_allowed,
    judge,
    local_path,
    needs_body_check,
)

SESSION_PATH: Final = "/goodfit/session"
AUTHORIZATION_FUNCTION: Final = "backend.tracking.gate.identity:authenticate"
LARGEST_CHECKED_BODY: Final = 1 << 20
Headers = dict[str, str]


class Gate:
    """ASGI app: sign-in redirect, ticket, cross-site writes, closed routes; then MLflow."""

    def __init__(self, inner: ASGIApp, identities: Identities, settings: Settings) -> None:
        self._inner = inner
        self._identities = identities
        self._dashboard = settings.urls.dashboard
        self._secure = settings.auth.cookie_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._inner(scope, receive, send)
        else:
            try:
                await self._http(scope, receive, send)
            except IdentityUnavailable:
                message = "Goodfit's API does not answer, so nobody can be let in. Try again."
                await _refuse(send, 503, "TEMPORARILY_UNAVAILABLE", message, ("Retry-After", "5"))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path, method = scope["path"], scope["method"]
        if path == SESSION_PATH:
            await self._open_session(scope, send)
            return
        if self._crosses_sites(method, headers):
            await _refuse(send, 403, "PERMISSION_DENIED", "This write came from another site.")
            return
        caller = await self._caller(headers)
        if caller is None:
            await self._turn_away(scope, headers, send)
            return
        verdict = judge(method, path, is_service=caller.is_service)
        if verdict == "absent":
            await _refuse(send, 404, "ENDPOINT_NOT_FOUND", "This is closed on Goodfit.")
            return
        if verdict == "forbidden":
            message = "Models and aliases are changed in Goodfit, not in MLflow."
            await _refuse(send, 403, "PERMISSION_DENIED", message)
            return
        if needs_body_check(method, path) and not caller.is_service:
            body, receive = await _buffered(receive)
            if not body_is_allowed(body):
                message = "artifact_location is set by Goodfit; leave it out."
                await _refuse(send, 403, "PERMISSION_DENIED", message)
                return
        await self._inner(scope, receive, _with_headers(send))

    async def _caller(self, headers: Headers) -> Caller | None:
        cookie = _cookie(headers.get("cookie", ""), self._identities.cookie_name)
        authorization = headers.get("authorization")
        return await anyio.to_thread.run_sync(self._identities.caller, authorization, cookie)

    @staticmethod
    def _crosses_sites(method: str, headers: Headers) -> bool:
        """Browsers send the cookie along; MLflow itself trusts every localhost origin."""
        if method in READ_METHODS or "authorization" in headers:
            return False
        origin = headers.get("origin")
        if origin is not None:
            return urlsplit(origin).netloc != headers.get("host")
        return headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")

    async def _turn_away(self, scope: Scope, headers: Headers, send: Send) -> None:
        wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if wants_page and "authorization" not in headers:
            query = scope["query_string"].decode("latin-1")
            wanted = local_path(scope["path"] + (f"?{query}" if query else ""))
            await _redirect(send, f"{self._dashboard}/?next=mlflow&path={quote(wanted, safe='')}")
            return
        message = "Sign in to Goodfit, or send an access token."
        await _refuse(send, 401, "UNAUTHENTICATED", message, ("WWW-Authenticate", "Bearer"))

    async def _open_session(self, scope: Scope, send: Send) -> None:
        """A one-time ticket becomes the HttpOnly cookie; it does not stay in the address bar."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        wanted = local_path(query.get("next", ["/"])[0])
        ticket = query.get("ticket", [""])[0][:200]
        redeemed = (
            await anyio.to_thread.run_sync(self._identities.redeem, ticket)
            if scope["method"] == "GET" and ticket
            else None
        )
        if redeemed is None:
            await _redirect(send, f"{self._dashboard}/?next=mlflow&path={quote(wanted, safe='')}")
            return
        session, max_age = redeemed
        cookie = (
            f"{self._identities.cookie_name}={session}; Path=/; HttpOnly; SameSite=Lax; "
            f"Max-Age={max_age}" + ("; Secure" if self._secure else "")
        )
        await _redirect(send, wanted, ("Set-Cookie", cookie))


def _cookie(header: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY")]
            names = {name for name, _ in own}
            kept = [pair for pair in message["headers"] if pair[0].lower() not in names]
            message["headers"] = [*kept, *own]
        await send(message)

    return wrapped


async def _buffered(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a receive that gives it again."""
    body, more = b"", True
    while more and len(body) <= LARGEST_CHECKED_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": more}

    return body, again


async def _respond(
    send: Send, status: int, body: bytes, headers: Iterable[tuple[str, str]]
) -> None:
    pairs = [*headers, ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _refuse(
    send: Send, status: int, code: str, message: str, *headers: tuple[str, str]
) -> None:
    body = json.dumps({"error_code": code, "message": message}).encode()
    await _respond(send, status, body, [("Content-Type", "application/json"), *headers])


async def _redirect(send: Send, where: str, *headers: tuple[str, str]) -> None:
    pairs = [("Location", where), ("Referrer-Policy", "no-referrer"), *headers]
    await _respond(send, 303, b"", pairs)


def create_app() -> Any:
    """The application behind MLflow's `--app-name goodfit`, and behind `goodfit mlflow`."""
    config = auth.auth_config
    if config.authorization_function != AUTHORIZATION_FUNCTION:
        raise RuntimeError("MLFLOW_AUTH_CONFIG_PATH does not name Goodfit's authorization function")
    if config.default_permission != "NO_PERMISSIONS":
        raise RuntimeError("MLflow's default_permission must be NO_PERMISSIONS")
    settings = Settings()
    return Gate(auth.create_app(), configure(settings), settings)
