"""PgQueuer's pool driver, without a race at its start."""

import asyncio

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.ports.driver import NotifyCallback


class ListeningDriver(AsyncpgPoolDriver):
    """Notifies only once it listens.

    PgQueuer 1.6 sends its first health probe while it still sets up the listener. When the probe
    wins, nobody hears it and the worker takes its listener for broken ten seconds later.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._listening = asyncio.Event()

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Listen, and from then on notify."""
        await super().add_listener(channel, callback)
        self._listening.set()

    async def notify(self, channel: str, payload: str) -> None:
        """Notify; at the start after the listener stands."""
        await self._listening.wait()
        await super().notify(channel, payload)
