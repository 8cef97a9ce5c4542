"""PgQueuer's pool driver, without a race at its start."""

import asyncio
import os
import socket
from typing import Final

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.ports.driver import NotifyCallback

# The database shows who is connected under this name, so it knows how many workers there are.
WORKER_PREFIX: Final = "goodfit-worker"
_LONGEST_NAME: Final = 63


def worker_name() -> str:
    """One name for all connections of this worker, another for every other worker."""
    return f"{WORKER_PREFIX} {os.getpid()} {socket.gethostname()}"[:_LONGEST_NAME]


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
