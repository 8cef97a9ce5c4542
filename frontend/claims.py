"""Which tickets were swapped for a cookie: written by the routes, read by the page's script.

Both run in this process. A browser may never see a page element of a run that the next one
overtook, so the script asks for the cookie until the swap is known.
"""

import threading
from collections import OrderedDict
from typing import Final

CAPACITY: Final = 10_000


class Claims:
    """The latest claimed tickets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: OrderedDict[str, None] = OrderedDict()

    def add(self, ticket: str) -> None:
        with self._lock:
            self._tickets[ticket] = None
            while len(self._tickets) > CAPACITY:
                self._tickets.popitem(last=False)

    def __contains__(self, ticket: object) -> bool:
        with self._lock:
            return ticket in self._tickets


claims: Final = Claims()
