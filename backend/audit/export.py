"""The audit as CSV, a part at a time: neither the table nor a transaction is held meanwhile."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from backend.audit.repository import AuditRepository
from backend.audit.schemas import AuditEventOut, AuditFilter
from backend.core.access import Viewer
from backend.core.db import SessionFactory
from backend.core.schemas import rfc3339
from backend.science.formulas import safe_text
from backend.tables import AuditEvent

ROWS_AT_ONCE: Final = 1_000
COLUMNS: Final = tuple(AuditEventOut.model_fields)


def _cell(value: Any) -> str | int:
    """Numbers as they are, details as JSON, and no text that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return safe_text(str(value))


def _part(rows: Sequence[AuditEvent], *, header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    # Without the schema between: it would take most of the time.
    writer.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)
    return text.getvalue().encode()


async def _batches(
    sessions: SessionFactory, viewer: Viewer, filter_by: AuditFilter
) -> AsyncIterator[list[AuditEvent]]:
    """From the newest row back, each batch with a connection of its own."""
    before: int | None = None
    while True:
        async with sessions() as session:
            rows = await AuditRepository(session, viewer).list_older(
                filter_by, before, ROWS_AT_ONCE
            )
        yield rows
        if len(rows) < ROWS_AT_ONCE:
            return
        before = rows[-1].id


async def open_export(
    sessions: SessionFactory, viewer: Viewer, filter_by: AuditFilter
) -> AsyncIterator[bytes]:
    """The parts; the first one is read already, so that an error is an answer, no broken file."""
    batches = _batches(sessions, viewer, filter_by)
    first = _part(await anext(batches), header=True)

    async def parts() -> AsyncIterator[bytes]:
        yield first
        async for rows in batches:
            yield _part(rows, header=False)

    return parts()
