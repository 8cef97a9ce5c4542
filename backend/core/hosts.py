"""Which host names a request may use."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.core.errors import AppError
from backend.core.problems import render


class UnknownHost(AppError):
    """This host name is not served here"""

    status = 400
    code = "unknown_host"


def host_name(header: str) -> str:
    """The name or address in a Host header, without the port; IPv6 keeps its brackets."""
    name, bracket, _ = header.strip().lower().partition("]")
    return name + bracket if bracket else name.partition(":")[0]


class AllowedHosts:
    """ASGI middleware: a name that was not allowed may be an attack by DNS rebinding.

    `*` allows every name, `*.example.org` every name below that one.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self.app = app
        self.allowed = frozenset(name.lower() for name in allowed)
        self.suffixes = tuple(name[1:] for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allows(host_name(Headers(scope=scope).get("host", ""))):
            await self.app(scope, receive, send)
            return
        refusal = UnknownHost("GOODFIT_ALLOWED_HOSTS does not list the host name of this request.")
        await render(refusal)(scope, receive, send)

    def _allows(self, name: str) -> bool:
        is_listed = "*" in self.allowed or name in self.allowed
        return is_listed or name.endswith(self.suffixes)
