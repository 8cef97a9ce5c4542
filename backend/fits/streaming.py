"""A fit as server-sent events: what it told, how far it is, and its end."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.db import SessionFactory
from backend.fits.events import read_events
from backend.fits.repository import FitRepository
from backend.fits.states import FINAL_STATES, FitState
from backend.tables import Fit, FitEvent

_log = logging.getLogger(__name__)
# Should a notification be lost; it also ends the stream of who may not read it any more.
LOOK_SECONDS: Final = 2.0
# Shorter than what proxies wait for.
HEARTBEAT_SECONDS: Final = 15.0
HEARTBEAT: Final = b": still here\n\n"

# Who holds the token of the request now; None when nobody does.
Identify = Callable[[AsyncSession], Awaitable[Viewer | None]]


@dataclass(frozen=True, slots=True)
class _Standing:
    """How far the fit is."""

    state: FitState
    attempt: int
    progress: float
    message: str


@dataclass(frozen=True, slots=True)
class _View:
    """One look at the database."""

    standing: _Standing
    events: list[FitEvent]


def event_content(event: FitEvent) -> dict[str, Any]:
    """An event as it is sent."""
    return {
        "id": event.id,
        "attempt": event.attempt,
        "kind": event.kind,
        "content": event.content,
        "at": event.at.isoformat(),
    }


def _written(kind: str, content: Mapping[str, Any], event_id: int | None = None) -> bytes:
    number = "" if event_id is None else f"id: {event_id}\n"
    return f"{number}event: {kind}\ndata: {json.dumps(content)}\n\n".encode()


async def stream(
    sessions: SessionFactory,
    identify: Identify,
    fit_id: int,
    *,
    after: int,
    news: asyncio.Event,
    is_stopping: Callable[[], bool],
) -> AsyncIterator[bytes]:
    """What happened after an event that is known, and then what happens; ends with the fit.

    No connection to the database is held between two looks. An access token that expires ends the
    stream; a client goes on with a new one after the last event that it has.
    """
    known, shown = after, None
    sent_at = time.monotonic()
    while not is_stopping():
        news.clear()
        try:
            async with sessions() as session:
                view = await _look(session, identify, fit_id, known)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("no look at a watched fit", extra={"error": repr(error)})
        else:
            if view is None:
                return
            parts = [_written(event.kind, event_content(event), event.id) for event in view.events]
            known = view.events[-1].id if view.events else known
            if view.standing != shown:
                shown = view.standing
                parts.append(_written("progress", _progress(shown)))
            if parts:
                sent_at = time.monotonic()
                yield b"".join(parts)
            if shown.state in FINAL_STATES and not view.events:
                yield _written("end", {"state": shown.state.value})
                return
            if view.events:
                # There may be more of them.
                continue
        if time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
            sent_at = time.monotonic()
            yield HEARTBEAT
        await _wait(news)


def _progress(standing: _Standing) -> dict[str, Any]:
    return {
        "state": standing.state.value,
        "attempt": standing.attempt,
        "progress": standing.progress,
        "message": standing.message,
    }


async def _wait(news: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(news.wait(), LOOK_SECONDS)
    except TimeoutError:
        return


async def _look(session: AsyncSession, identify: Identify, fit_id: int, known: int) -> _View | None:
    """None where the caller may not see the fit any more, or it is gone."""
    viewer = await identify(session)
    if viewer is None:
        return None
    # The state first: what was told before a final state is then read for sure.
    visible = FitRepository(session, viewer).scoped().where(Fit.id == fit_id)
    columns = (Fit.state, Fit.attempt, Fit.progress, Fit.progress_message)
    row = (await session.execute(visible.with_only_columns(*columns))).one_or_none()
    if row is None:
        return None
    standing = _Standing(FitState(row[0]), *row[1:])
    return _View(standing, await read_events(session, fit_id, known))
