"""One connection per API process hears which fits moved on, and wakes whoever watches them."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from backend.core.errors import TooManyRequests
from backend.jobs.channels import NEWS
from backend.settings import DatabaseSettings

_log = logging.getLogger(__name__)
# Each takes a connection of the server and a look at the database every other second.
MOST_PER_USER: Final = 20
RECONNECT_SECONDS: Final = 1.0
AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Watchers:
    """Who watches which fit."""

    def __init__(self, database: DatabaseSettings) -> None:
        self._database = database
        self._watched: dict[int, set[asyncio.Event]] = {}
        self._per_user: Counter[int] = Counter()
        self._listening: asyncio.Task[None] | None = None
        self.is_stopping = False

    @contextmanager
    def watch(self, fit_id: int, user_id: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever the fit moved on; looking now and then is still needed."""
        self.require_room(user_id)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        news = asyncio.Event()
        self._per_user[user_id] += 1
        self._watched.setdefault(fit_id, set()).add(news)
        try:
            yield news
        finally:
            self._per_user[user_id] -= 1
            self._watched[fit_id].discard(news)
            if not self._watched[fit_id]:
                del self._watched[fit_id]

    def require_room(self, user_id: int) -> None:
        """Refuse who watches as many as anybody may."""
        if self._per_user[user_id] >= MOST_PER_USER:
            raise TooManyRequests(
                f"You watch {MOST_PER_USER} fits at a time. Close one of the streams.",
                headers={"Retry-After": "5"},
            )

    def stop(self) -> None:
        """End all streams: the server waits for them before it ends."""
        self.is_stopping = True
        for watching in self._watched.values():
            _wake(watching)

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(*AWAY):
                await self._hear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self) -> None:
        """One connection, until it breaks."""
        connection = await asyncpg.connect(self._database.asyncpg_url(), timeout=10)
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: gone.set())
            await connection.add_listener(NEWS, self._on_news)
            # What happened before it listened.
            for watching in self._watched.values():
                _wake(watching)
            await gone.wait()
        finally:
            connection.terminate()

    def _on_news(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        fit_id = str(payload)
        if fit_id.isdecimal():
            _wake(self._watched.get(int(fit_id), set()))


def _wake(watching: set[asyncio.Event]) -> None:
    for news in watching:
        news.set()
