"""What a running fit tells, gathered and written a few times a second."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from backend.core.db import SessionFactory, transaction
from backend.fits import attempts
from backend.fits.attempts import Told
from backend.fits.claiming import Claim
from backend.fits.events import Event

_log = logging.getLogger(__name__)
WRITE_SECONDS: Final = 0.25
MOST_LINES: Final = 2_000
LONGEST_LINE: Final = 2_000
USAGE: Final = "usage"


class ClaimLost(Exception):
    """The fit was cancelled or another worker took it over."""


class Diary:
    """Of one attempt."""

    def __init__(self, sessions: SessionFactory, held: Claim) -> None:
        self._sessions = sessions
        self._held = held
        self._latest = (0.0, "Starting")
        self._has_news = False
        self._events: list[Event] = []
        self._trials: list[Mapping[str, Any]] = []
        self._lines = 0
        self.peak_memory_bytes: int | None = None

    async def on_progress(self, fraction: float, message: str) -> None:
        """How far it is."""
        self._latest = (fraction, message)
        self._has_news = True

    async def on_event(self, kind: str, content: Mapping[str, Any]) -> None:
        """Something that stays."""
        if kind == USAGE:
            self.peak_memory_bytes = int(content["peak_memory_bytes"])
            return
        if kind == "log":
            self._lines += 1
            if self._lines > MOST_LINES:
                return
            line = str(content.get("text", ""))[:LONGEST_LINE]
            content = {**content, "text": line}
            if self._lines == MOST_LINES:
                content = {"text": f"More than {MOST_LINES} lines; those that follow are not kept."}
        if kind == "trial":
            self._trials.append(content)
        self._events.append(Event(kind, content))
        self._has_news = True

    def take(self) -> Told:
        """What is not written yet, for a transaction that ends the attempt."""
        told = Told(tuple(self._events), tuple(self._trials))
        self._events.clear()
        self._trials.clear()
        self._has_news = False
        return told

    async def keep_writing(self) -> None:
        """Write what is new again and again; raises ClaimLost when the attempt is over."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            if self._has_news:
                await self._write()

    async def _write(self) -> None:
        told = self.take()
        try:
            async with transaction(self._sessions) as session:
                holds = await attempts.report(session, self._held, *self._latest, told)
        except (SQLAlchemyError, OSError) as error:
            # The fit goes on without the database; what it told is written with the next round.
            _log.warning("progress not written", extra={"error": repr(error)})
            self._events[:0] = told.events
            self._trials[:0] = told.trials
            self._has_news = True
            return
        if not holds:
            raise ClaimLost
