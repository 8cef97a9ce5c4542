"""Bounds on request bodies, before anything reads them."""

import asyncio
import contextlib
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.errors import TooLarge
from backend.core.problems import render

# Work that may take hundreds of megabytes and a core within this process waits its turn here.
HEAVY_WORK: Final = asyncio.Semaphore(2)


class BodyTooLarge(Exception):
    """More came than may come."""


class BodyLimit:
    """ASGI middleware: refuses a body over the limit, announced or counted.

    `streamed` names the paths whose routes read the body themselves, after they know who is
    calling, and count it against a larger bound. The client's headers do not decide.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, streamed: re.Pattern[str]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._streams(scope):
            await self.app(scope, receive, send)
            return
        answer = render(TooLarge(f"The body is larger than {self.max_bytes:,} bytes."))
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            await answer(scope, receive, send)
            return
        body = _CountedBody(receive, send, self.max_bytes)
        with contextlib.suppress(BodyTooLarge):
            await self.app(scope, body.receive, body.send)
        if body.exceeded and not body.answered:
            await answer(scope, receive, send)

    def _streams(self, scope: Scope) -> bool:
        return scope["method"] == "POST" and self.streamed.fullmatch(scope["path"]) is not None


class _CountedBody:
    """Counts what comes; once it is too much, only the 413 may go out."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left = max_bytes
        self.exceeded = False
        self.answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.exceeded = True
            raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.exceeded and not self.answered:
            return  # the framework's own answer to a body that it could not read
        self.answered = True
        await self._send(message)
