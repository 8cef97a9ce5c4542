"""What the same-origin routes pass on of the API's answers, and what they say instead."""

from collections.abc import AsyncIterator
from typing import Final

import httpx

PASSED_HEADERS: Final = ("etag", "content-length", "content-disposition")


def passed_headers(answer: httpx.Response) -> dict[str, str]:
    """Headers of the API that a browser gets as well; it asks again each time."""
    kept = {name: answer.headers[name] for name in PASSED_HEADERS if name in answer.headers}
    return {**kept, "Cache-Control": "private, max-age=0, must-revalidate", "Vary": "Cookie"}


async def passed_content(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body, piece by piece; the connection is given back at its end."""
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    finally:
        await answer.aclose()
