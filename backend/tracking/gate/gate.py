"""The ASGI gate in front of MLflow: signs in, lets through what is listed, closes the rest."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.access import Scope as TokenScope
from backend.core.local_paths import local_path
from backend.tracking.gate.authorization import MlflowAccounts, current_caller
from backend.tracking.gate.callers import (
    ApiUnavailable,
    BrowserSession,
    Caller,
    CallerDirectory,
    Presented,
    presented,
)
from backend.tracking.gate.routes import (
    Access,
    access_to,
    is_artifact,
    is_graphql,
    is_json_write,
    is_write,
)
from backend.tracking.gate.searches import asking, find_listing, search

_log = logging.getLogger(__name__)
VERSION_PATH: Final = "/version"
SESSION_PATH: Final = "/goodfit/session"
# Tags that only the platform sets: by `goodfit.fit_id` it finds its run again.
PLATFORM_TAG_PREFIX: Final = "goodfit."
_TICKET: Final = re.compile(r"[\w-]{8,200}")
_GRAPHQL_SEARCH: Final = "mlflowSearchModelVersions"
_MOST_JSON_BYTES: Final = 20_000_000
_NO_STORE: Final = {"Cache-Control": "no-store"}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyTooLarge(ValueError):
    """A JSON body that no client of MLflow sends."""


@dataclass(frozen=True, slots=True)
class Site:
    """The addresses and the cookie of this installation."""

    dashboard_url: str
    mlflow_url: str
    cookie_name: str
    cookie_secure: bool
    service_key: str


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    credentials: Presented

    @property
    def is_navigation(self) -> bool:
        """A person's browser asks for a page."""
        return (
            self.method == "GET"
            and "text/html" in self.headers.get("accept", "")
            and "authorization" not in self.headers
        )


class Gate:
    """Everything that reaches MLflow passes here first."""

    def __init__(
        self, app: ASGIApp, *, site: Site, directory: CallerDirectory, accounts: MlflowAccounts
    ) -> None:
        self._app = app
        self._site = site
        self._directory = directory
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _live(self, receive: Receive, send: Send) -> None:
        # MLflow's own start-up hook only cleans up after its assistant, which is closed.
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._directory.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._read(scope)
        access = access_to(request.method, request.path)
        if access is Access.EVERYBODY:
            # MLflow's own answer to /version needs a user.
            is_version = request.path == VERSION_PATH
            open_app = PlainTextResponse(version("mlflow")) if is_version else self._app
            await open_app(scope, receive, send)
            return
        try:
            if request.path == SESSION_PATH and request.method == "GET":
                refusal: Response | None = await self._open_session(request)
                caller = None
            else:
                caller = await self._directory.find(request.credentials)
                refusal = self._refuse(request, access, caller)
            if refusal is None and caller is not None:
                refusal, receive = await self._check_body(request, caller, receive)
            if refusal is None and caller is not None:
                refusal = await self._synchronise(caller)
        except ApiUnavailable as error:
            _log.warning("nobody can be identified", extra={"reason": str(error)})
            refusal = _unavailable("The API does not answer, so nobody can be identified.")
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._pass_on(scope, receive, send, caller)

    def _read(self, scope: Scope) -> _Request:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        return _Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            credentials=presented(
                headers, cookie_name=self._site.cookie_name, service_key=self._site.service_key
            ),
        )

    def _refuse(self, request: _Request, access: Access, caller: Caller | None) -> Response | None:
        if caller is None:
            return self._to_sign_in(request)
        if access is Access.NOBODY:
            return _error(404, "ENDPOINT_NOT_FOUND", "There is no such route here.")
        if access is Access.PLATFORM and not caller.is_platform:
            return _error(403, "PERMISSION_DENIED", "Only the platform itself changes this.")
        if (reason := _beyond_token(request, caller)) is not None:
            return _error(403, "PERMISSION_DENIED", reason)
        if not self._is_own_origin(request):
            return _error(403, "PERMISSION_DENIED", "A write from another site.")
        return None

    def _to_sign_in(self, request: _Request) -> Response:
        if not request.is_navigation:
            refusal = _error(401, "UNAUTHENTICATED", "Sign in first.")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        wanted = request.path + (f"?{request.query}" if request.query else "")
        return _redirect(self._sign_in_address(wanted))

    def _sign_in_address(self, wanted: str) -> str:
        query = urlencode({"next": "mlflow", "path": wanted})
        return f"{self._site.dashboard_url.rstrip('/')}/?{query}"

    def _is_own_origin(self, request: _Request) -> bool:
        """Cookies travel by themselves, so a write by cookie must come from MLflow's own pages.

        MLflow itself trusts every origin on localhost, the dashboard's among them.
        """
        if request.method in _SAFE_METHODS or not request.credentials.by_cookie:
            return True
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site") == "same-origin"
        own = {request.headers.get("host"), urlsplit(self._site.mlflow_url).netloc}
        return urlsplit(origin).netloc in own

    async def _check_body(
        self, request: _Request, caller: Caller, receive: Receive
    ) -> tuple[Response | None, Receive]:
        """Refuse people's writes that name a tag of the platform, and their searches of the
        registry by GraphQL; answer the body to read again."""
        is_query = is_graphql(request.path)
        is_write = is_json_write(request.method, request.path)
        if caller.is_platform or not (is_query or is_write):
            return None, receive
        try:
            body, again = await _buffered(receive)
            content = json.loads(body) if body else {}
        except BodyTooLarge:
            return _error(413, "BAD_REQUEST", "The body is too large."), receive
        except (ValueError, RecursionError):
            return _error(400, "BAD_REQUEST", "The body is not JSON."), receive
        if not isinstance(content, dict):
            # MLflow decodes a string a second time.
            return _error(400, "BAD_REQUEST", "The body is not a JSON object."), receive
        if is_query:
            return _refuse_search(content), again
        if _names_platform_tag(content) or f"/{PLATFORM_TAG_PREFIX}" in request.path:
            message = f"Only the platform itself sets {PLATFORM_TAG_PREFIX}* tags."
            return _error(403, "PERMISSION_DENIED", message), again
        return None, again

    async def _synchronise(self, caller: Caller) -> Response | None:
        if self._accounts.is_synchronised(caller):
            return None
        try:
            await anyio.to_thread.run_sync(self._accounts.synchronise, caller)
        except Exception:
            # Whatever broke in MLflow's database, nobody gets in without an account there.
            _log.exception("MLflow's user could not be made")
            return _unavailable("MLflow's database does not answer.")
        return None

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller | None
    ) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "private, no-store")
                if is_artifact(scope["path"]):
                    # A page that somebody logged must not act with the reader's cookie.
                    headers["Content-Security-Policy"] = "sandbox"
            await send(message)

        listing = find_listing(scope["method"], scope["path"])
        token = current_caller.set(caller)
        try:
            if listing is None or caller is None or caller.is_admin:
                await self._app(scope, receive, send_with_headers)
            else:
                query = scope["query_string"].decode("latin-1")
                answer = await search(listing, query, asking(self._app, scope))
                await answer(scope, receive, send_with_headers)
        finally:
            current_caller.reset(token)

    async def _open_session(self, request: _Request) -> Response:
        """Swap a one-time ticket for the cookie, then show the page without the ticket."""
        query = parse_qs(request.query)
        ticket = query.get("ticket", [""])[-1]
        wanted = local_path(query.get("next", ["/"])[-1], apart_from="/goodfit/")
        session = await self._directory.redeem(ticket) if _TICKET.fullmatch(ticket) else None
        if session is None or not await self._may_enter(request, session):
            return _redirect(self._sign_in_address(wanted))
        response = _redirect(wanted)
        self._set_cookie(response, session)
        return response

    async def _may_enter(self, request: _Request, session: BrowserSession) -> bool:
        """Whether the cookie may be set: a link must not turn somebody into another user."""
        if not request.credentials.by_cookie:
            return True
        present = await self._directory.find(request.credentials)
        if present is None:
            return True
        return present == await self._directory.find(Presented(session.session, by_cookie=True))

    def _set_cookie(self, response: Response, session: BrowserSession) -> None:
        response.set_cookie(
            self._site.cookie_name,
            session.session,
            max_age=session.max_age,
            path="/",
            secure=self._site.cookie_secure,
            httponly=True,
            samesite="lax",
        )


def _beyond_token(request: _Request, caller: Caller) -> str | None:
    """Why the caller's token may not do this."""
    if caller.is_limited:
        # MLflow's permissions are a user's; they know no token that reaches less.
        return "A token for one project is not accepted here. Use one without a project."
    needed = TokenScope.WRITE if is_write(request.method, request.path) else TokenScope.READ
    if not caller.scope.includes(needed):
        return f"This token is for {caller.scope.value}; this needs {needed.value}."
    return None


def _refuse_search(content: dict[str, Any]) -> Response | None:
    """Its pages would count what is not shown; MLflow's own pages never ask so."""
    if _GRAPHQL_SEARCH not in json.dumps(content):
        return None
    return _error(403, "PERMISSION_DENIED", "Search by the registry's own routes.")


def _names_platform_tag(value: Any) -> bool:
    if isinstance(value, dict):
        key = value.get("key")
        if isinstance(key, str) and key.strip().startswith(PLATFORM_TAG_PREFIX):
            return True
        return any(_names_platform_tag(part) for part in value.values())
    if isinstance(value, list):
        return any(_names_platform_tag(part) for part in value)
    return False


async def _buffered(receive: Receive) -> tuple[bytes, Receive]:
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MOST_JSON_BYTES:
            raise BodyTooLarge
        chunks.append(chunk)
        more = message.get("more_body", False)
    body = b"".join(chunks)
    unread = True

    async def again() -> Message:
        nonlocal unread
        if not unread:
            return await receive()
        unread = False
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error_code": code, "message": message}, status, headers=_NO_STORE)


def _unavailable(message: str) -> Response:
    return PlainTextResponse(f"{message}\n", 503, headers={**_NO_STORE, "Retry-After": "5"})


def _redirect(address: str) -> Response:
    return Response(status_code=303, headers={**_NO_STORE, "Location": address})
