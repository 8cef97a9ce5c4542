"""ETags of single resources: a digest of the representation, so no revision is forgotten."""

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Response

from backend.core.errors import PreconditionFailed
from backend.core.schemas import Schema


def etag_of(representation: Schema) -> str:
    """The strong ETag of what is sent."""
    lasting = representation.model_dump_json(exclude=set(representation.passing))
    digest = hashlib.sha256(lasting.encode()).hexdigest()
    return f'"{digest[:32]}"'


def send_etag(response: Response, representation: Schema) -> None:
    """Let the client hold on to this state; it is private and must be asked for again."""
    response.headers["ETag"] = etag_of(representation)
    response.headers["Cache-Control"] = "private, no-cache"


async def _if_match(if_match: Annotated[str | None, Header(max_length=2_000)] = None) -> str | None:
    return if_match


IfMatchDep = Annotated[str | None, Depends(_if_match)]


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag."""
    names = {name.strip().removeprefix("W/") for name in header.split(",")}
    return "*" in names or etag in names


def check_match(if_match: str | None, representation: Schema) -> None:
    """Refuse a change that was made on an older state; without If-Match the last one wins."""
    if if_match is not None and not matches(if_match, etag_of(representation)):
        raise PreconditionFailed("Somebody changed this since you read it. Read it again first.")
