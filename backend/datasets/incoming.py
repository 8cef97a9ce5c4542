"""Uploads on their way: few at a time of one user, and counted against their quota as they come.

The database knows of a version's bytes only once they are kept; until then they are known here.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from backend.core.errors import TooManyRequests
from backend.datasets.files import QuotaExceeded

UPLOADS_AT_MOST: Final = 4
RETRY_AFTER: Final = 10


class Arrival:
    """One upload on its way."""

    def __init__(self, arrivals: "set[Arrival]", room: int | None) -> None:
        self._arrivals = arrivals
        self._room = room
        self._received = 0
        self.bytes = 0

    def reach(self, bytes: int) -> None:  # the version's field
        """Count it with so many bytes, announced or received.

        Raises
        ------
        QuotaExceeded
            It alone is more than may still be kept.
        TooManyRequests
            It is with the user's other uploads on their way, of which some may be refused.
        """
        self.bytes = max(self.bytes, bytes)
        if self._room is None:
            return
        if self.bytes > self._room:
            raise QuotaExceeded(f"You may keep {self._room:,} bytes more; this is larger.")
        if sum(one.bytes for one in self._arrivals) > self._room:
            raise TooManyRequests(
                "Your uploads on their way would take more than you may keep. Nothing of this one "
                "was stored; send one after the other.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )

    async def counted(self, body: AsyncIterator[bytes], overhead: int) -> AsyncIterator[bytes]:
        """The body, of which all but the overhead is counted."""
        async for chunk in body:
            self._received += len(chunk)
            self.reach(self._received - overhead)
            yield chunk


class Incoming:
    """All uploads that this process takes at the moment."""

    def __init__(self) -> None:
        self._arrivals: dict[int, set[Arrival]] = {}

    @contextmanager
    def taking(self, user_id: int, room: int | None, announced: int) -> Iterator[Arrival]:
        """Count an upload until its files are kept or gone.

        Parameters
        ----------
        room
            Bytes that the user may still keep; None where it is kept already.

        Raises
        ------
        TooManyRequests
            The user is sending enough already, by number or by what is announced.
        """
        arrivals = self._arrivals.setdefault(user_id, set())
        if len(arrivals) >= UPLOADS_AT_MOST:
            raise TooManyRequests(
                f"You are sending {len(arrivals)} files already. Try again once one is there.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        arrival = Arrival(arrivals, room)
        arrivals.add(arrival)
        try:
            arrival.reach(announced)
            yield arrival
        finally:
            arrivals.discard(arrival)
            if not arrivals:
                self._arrivals.pop(user_id, None)
