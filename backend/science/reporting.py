"""How a fit tells its worker what it does while it runs."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

# log: {text}. metrics: {fold?, repeat?, step?, metrics: {name: value}}. trial: {number, params,
# state, score?, seconds, message?}.
EventKind = Literal["log", "metrics", "trial"]


class Report(Protocol):
    """Called with a share from 0 to 1 and a text; `tell` adds a line, scores or a trial."""

    def __call__(self, share: float, message: str, /) -> None:
        """Say how far the work is."""

    def tell(self, kind: EventKind, content: Mapping[str, Any], /) -> None:
        """Say what happened; it stays in the fit's log."""


class Silent:
    """Tells nobody."""

    def __call__(self, share: float, message: str, /) -> None:
        """Nobody listens."""

    def tell(self, kind: EventKind, content: Mapping[str, Any], /) -> None:
        """Nobody listens."""
