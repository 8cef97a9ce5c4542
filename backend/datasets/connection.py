"""Work that nobody waits for any more is ended."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from backend.core.errors import AppError

Answer = TypeVar("Answer")


class ClientGone(AppError):
    """The client went away before the answer"""

    status = 400
    code = "client_gone"


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises
    ------
    ClientGone
        It ended too early.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ClientGone("The client closed the connection.") from None


async def while_connected(request: Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """The work's answer; it is cancelled when the client goes away. The body was read before.

    Raises
    ------
    ClientGone
        Nobody is there to be answered; the log is told.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("The client closed the connection.")
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
