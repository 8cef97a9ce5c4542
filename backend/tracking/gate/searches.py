"""Searches of MLflow's registry, paged over what the caller may read.

MLflow's auth app takes foreign rows out of a page, but its page tokens count them: from a token one
could read how many models there are, and, with a filter, what they are called.
"""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True, slots=True)
class Listing:
    """A route that answers a page of rows."""

    rows: str
    default: int
    most: int


_LISTINGS: Final = {
    "registered-models": Listing("registered_models", default=100, most=1_000),
    "model-versions": Listing("model_versions", default=10_000, most=200_000),
}
_ROUTE: Final = re.compile(r"/(?:ajax-)?api/2\.0/mlflow/(registered-models|model-versions)/search")
# How many rows are asked of MLflow at once, at most.
_AT_ONCE: Final = 1_000
_KEPT: Final = ("filter", "order_by")
_NEXT: Final = "next_page_token"

Answer = tuple[int, bytes]
Ask = Callable[[str], Awaitable[Answer]]


class BadPage(ValueError):
    """A page that nobody can be shown."""


def find_listing(method: str, path: str) -> Listing | None:
    """The search that this request is, if it is one."""
    match = _ROUTE.fullmatch(path)
    return _LISTINGS[match[1]] if match and method == "GET" else None


async def search(listing: Listing, query: str, ask: Ask) -> Response:
    """The page of readable rows; `ask` answers status and body of MLflow's for a query."""
    wanted = parse_qs(query)
    try:
        start, size = _start(wanted), _size(wanted, listing)
    except BadPage as error:
        content = {"error_code": "INVALID_PARAMETER_VALUE", "message": str(error)}
        return JSONResponse(content, 400)
    kept = {name: wanted[name] for name in _KEPT if name in wanted}
    rows: list[Any] = []
    token = None
    # One row more tells whether there is another page.
    while len(rows) <= start + size:
        page = kept | {"max_results": [str(min(_AT_ONCE, start + size + 1))]}
        if token:
            page["page_token"] = [token]
        status, body = await ask(urlencode(page, doseq=True))
        if status != HTTPStatus.OK:
            return Response(body, status, media_type="application/json")
        content = json.loads(body)
        rows += content.get(listing.rows, [])
        token = content.get(_NEXT)
        if not token:
            break
    shown: dict[str, Any] = {listing.rows: rows[start : start + size]}
    if len(rows) > start + size:
        shown[_NEXT] = _token(start + size)
    return JSONResponse(shown)


def _size(wanted: dict[str, list[str]], listing: Listing) -> int:
    text = wanted.get("max_results", [str(listing.default)])[0]
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not 1 <= int(text) <= listing.most:
        raise BadPage(f"max_results is a number from 1 to {listing.most}.")
    return int(text)


def _token(start: int) -> str:
    """In MLflow's own form, over the readable rows."""
    return base64.b64encode(json.dumps({"offset": start}).encode()).decode()


def _start(wanted: dict[str, list[str]]) -> int:
    token = wanted.get("page_token", [""])[0]
    if not token:
        return 0
    try:
        start = json.loads(base64.b64decode(token, validate=True))["offset"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        start = None
    if not isinstance(start, int) or not 0 <= start < 10**9:
        raise BadPage("page_token is not one of ours.")
    return start


def asking(app: ASGIApp, scope: Scope) -> Ask:
    """Asks the application the same with another query."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name.lower() not in (b"content-length", b"transfer-encoding", b"accept-encoding")
    ]

    async def ask(query: str) -> Answer:
        status, chunks = 500, list[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        asked = {**scope, "query_string": query.encode("latin-1"), "headers": headers}
        await app(asked, receive, send)
        return status, b"".join(chunks)

    return ask
