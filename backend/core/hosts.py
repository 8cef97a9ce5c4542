"""Which host names a request may use."""

from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.core.errors import AppError


class UnknownHost(AppError):
    """This host name is not served here"""

    status = 400
    code = "unknown_host"

    def __init__(self) -> None:
        super().__init__("GOODFIT_ALLOWED_HOSTS does not list the host name of this request.")


def _in_plain_text() -> Response:
    return PlainTextResponse(f"{UnknownHost().detail}\n", UnknownHost.status)


def host_name(header: str) -> str:
    """The name or address in a Host header, without the port; IPv6 keeps its brackets."""
    name, bracket, _ = header.strip().lower().partition("]")
    return name + bracket if bracket else name.partition(":")[0]


class AllowedHosts:
    """ASGI middleware: a name that was not allowed may be an attack by DNS rebinding.

    `*` allows every name, `*.example.org` every name below that one.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed: Sequence[str],
        refuse: Callable[[], Response] = _in_plain_text,
    ) -> None:
        self.app = app
        self.refuse = refuse
        self.allowed = frozenset(name.lower() for name in allowed)
        self.suffixes = tuple(name[1:] for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allows(host_name(Headers(scope=scope).get("host", ""))):
            await self.app(scope, receive, send)
            return
        await self.refuse()(scope, receive, send)

    def _allows(self, name: str) -> bool:
        is_listed = "*" in self.allowed or name in self.allowed
        return is_listed or name.endswith(self.suffixes)
