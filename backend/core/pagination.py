"""Keyset pagination: a signed cursor carries the last row's sort value and id."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.errors import FieldProblem, Unprocessable
from backend.tables.base import Table

Row = TypeVar("Row", bound=Table)
SIGNATURE_BYTES: Final = 16


SortColumn = ColumnElement[Any] | InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One order that a list offers: the column, and how to read its value off a row."""

    column: SortColumn
    value: Callable[[Any], Any]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asked for, after validation."""

    limit: int
    cursor: str | None
    sort: str


def _query_problem(name: str, msg: str) -> Unprocessable:
    return Unprocessable(msg, errors=[FieldProblem(loc=["query", name], msg=msg, type="value")])


def _sign(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")[:SIGNATURE_BYTES]


class CursorSigner:
    """Cursors are opaque and signed: nobody reads or builds positions by hand.

    The first key signs; what the others signed still counts.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = [hashlib.sha256(b"page-cursor" + key).digest() for key in keys]

    def _is_ours(self, signature: bytes, payload: bytes) -> bool:
        return any(hmac.compare_digest(signature, _sign(key, payload)) for key in self._keys)

    def encode(self, sort: str, value: Any, row_id: int) -> str:
        stamp = value.isoformat() if isinstance(value, datetime) else value
        payload = json.dumps([sort, stamp, row_id], separators=(",", ":")).encode()
        return (
            base64.urlsafe_b64encode(_sign(self._keys[0], payload) + payload).decode().rstrip("=")
        )

    def decode(self, cursor: str, sort: str) -> tuple[Any, int]:
        """The sort value and id behind a cursor made by `encode` for the same sort."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not payload or not self._is_ours(signature, payload):
            raise _query_problem("cursor", "this cursor was not made by this server")
        made_for, value, row_id = json.loads(payload)
        if made_for != sort:
            raise _query_problem("cursor", f"this cursor belongs to the sort order {made_for!r}")
        return value, row_id


def _after(
    key: SortKey, id_column: InstrumentedAttribute[int], value: Any, row_id: int, down: bool
) -> Any:
    """Rows behind the cursor; nulls come last in either direction."""
    tie = id_column < row_id if down else id_column > row_id
    if not key.nullable:
        pair, position = tuple_(key.column, id_column), (value, row_id)
        return pair < position if down else pair > position
    if value is None:
        return and_(key.column.is_(None), tie)
    beyond = key.column < value if down else key.column > value
    return or_(beyond, and_(key.column == value, tie), key.column.is_(None))


async def fetch_page(
    session: AsyncSession,
    statement: Select[Row],
    page: PageRequest,
    *,
    keys: Mapping[str, SortKey],
    id_column: InstrumentedAttribute[int],
    signer: CursorSigner,
) -> tuple[list[Row], str | None]:
    """One page of the statement in the order asked for, and the cursor of the next."""
    down = page.sort.startswith("-")
    key = keys.get(page.sort.removeprefix("-"))
    if key is None:
        raise _query_problem("sort", f"sort must be one of {', '.join(sorted(keys))}, or -name")
    if page.cursor is not None:
        value, row_id = signer.decode(page.cursor, page.sort)
        if isinstance(value, str) and key.column.type.python_type is datetime:
            value = datetime.fromisoformat(value)
        statement = statement.where(_after(key, id_column, value, row_id, down))
    order = key.column.desc() if down else key.column.asc()
    tie_order = id_column.desc() if down else id_column.asc()
    statement = statement.order_by(order.nulls_last(), tie_order).limit(page.limit + 1)
    rows = list((await session.execute(statement)).scalars())
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    row_id = last.id  # type: ignore[attr-defined]  # every paged table has an id
    return rows[: page.limit], signer.encode(page.sort, key.value(last), row_id)
