"""Idempotency keys: a write that is sent twice happens once."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict, FieldProblem, Unprocessable
from backend.core.schemas import StorableText
from backend.tables import IdempotencyKey


def fingerprint(content: Any) -> str:
    """A digest of what a request asks for."""
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of one request, if it has one."""

    route: str
    key: str | None

    async def find(self, session: AsyncSession, viewer: Viewer, content: str) -> int | None:
        """The id that the first try made; refuses another body and a first try still running."""
        if self.key is None:
            return None
        lock = func.hashtextextended(f"{viewer.user_id} {self.route} {self.key}", 0)
        if not (await session.execute(select(func.pg_try_advisory_xact_lock(lock)))).scalar_one():
            raise Conflict("A request with this Idempotency-Key is still running.")
        row = await session.get(IdempotencyKey, (viewer.user_id, self.route, self.key))
        if row is None:
            return None
        if row.fingerprint != content:
            msg = "this key was used for another request"
            problem = FieldProblem(loc=["header", "idempotency-key"], msg=msg, type="reused")
            raise Unprocessable(f"Idempotency-Key: {msg}.", errors=[problem])
        return row.resource_id

    async def is_known(self, session: AsyncSession, viewer: Viewer) -> bool:
        """Whether a first try made something; `find` tells whether it asked for the same."""
        if self.key is None:
            return False
        known = await session.get(IdempotencyKey, (viewer.user_id, self.route, self.key))
        return known is not None

    async def remember(
        self, session: AsyncSession, viewer: Viewer, content: str, resource_id: int
    ) -> None:
        """Keep what was made, in the transaction that made it."""
        if self.key is not None:
            session.add(
                IdempotencyKey(
                    user_id=viewer.user_id,
                    route=self.route,
                    key=self.key,
                    fingerprint=content,
                    resource_id=resource_id,
                )
            )
            await session.flush()


async def _idempotency(
    request: Request,
    idempotency_key: Annotated[StorableText | None, Header(min_length=1, max_length=200)] = None,
) -> Idempotency:
    return Idempotency(route=f"{request.method} {request.url.path}", key=idempotency_key)


IdempotencyDep = Annotated[Idempotency, Depends(_idempotency)]
