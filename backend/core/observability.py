"""The outermost middleware: request id, security headers, one log line and one observation."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.logs import bind_request, is_request_id

_log = logging.getLogger("goodfit.access")
UNMATCHED: Final = "unmatched"
# Ours are shorter; anybody may ask for one of 64 kB.
LONGEST_PATH: Final = 500
# Method, route template, status, seconds.
Observe = Callable[[str, str, int, float], None]


def route_template(scope: Scope) -> str:
    """The matched route as it was declared, prefix included; never the path that was asked for."""
    matched = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(matched, "path", None) or UNMATCHED


class RequestContext:
    """ASGI middleware around everything else."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        headers: Mapping[str, str],
        observe: Observe | None = None,
    ) -> None:
        self.app = app
        self.headers = headers
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if is_request_id(given) else secrets.token_hex(12)
        # Never reset: each request has its own context, and the outermost handler needs the id.
        bind_request(request_id)
        answer = _Answer(send, request_id, self.headers)
        started = time.perf_counter()
        try:
            await self.app(scope, receive, answer.send)
        finally:
            self._tell(scope, answer.status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        if self.observe is not None:
            self.observe(scope["method"], route_template(scope), status, seconds)
        fields = {
            "method": scope["method"],
            "path": scope["path"][:LONGEST_PATH],
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        _log.info("request", extra=fields)


class _Answer:
    """Passes the response on with our headers, and remembers its status."""

    def __init__(self, send: Send, request_id: str, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self._request_id = request_id
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


class UncaughtErrors:
    """ASGI middleware: `on_error` answers what nothing inside caught.

    Here, and not in the framework's own outermost layer, the answer still gets its id and headers.
    """

    def __init__(self, app: ASGIApp, on_error: Callable[[Exception], Response]) -> None:
        self.app = app
        self.on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def watched(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # the last border: the caller gets a problem with its id
            if scope["type"] != "http" or has_started:
                raise
            await self.on_error(error)(scope, receive, send)
