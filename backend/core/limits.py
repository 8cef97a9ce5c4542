"""Bounds on request bodies, before anything reads them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.errors import TooLarge
from backend.core.problems import render

# Uploads count their own bytes while they stream, against a larger bound.
STREAMED = "multipart/form-data"


class BodyLimit:
    """ASGI middleware: refuses a JSON or form body over the limit, announced or counted."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if scope["type"] != "http" or self._streams(headers):
            await self.app(scope, receive, send)
            return
        error = TooLarge(f"The body is larger than {self.max_bytes:,} bytes.")
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            await render(error)(scope, receive, send)
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise error
            return message

        await self.app(scope, counting, send)

    @staticmethod
    def _streams(headers: dict[bytes, bytes]) -> bool:
        return headers.get(b"content-type", b"").decode("latin-1").lower().startswith(STREAMED)
