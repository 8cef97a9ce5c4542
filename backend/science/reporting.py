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


class Part:
    """A part of the work: its shares from 0 to 1 are a stretch of the whole."""

    def __init__(self, report: Report, start: float, end: float, name: str = "") -> None:
        self._report = report
        self._start, self._end = start, end
        self._name = name

    def __call__(self, share: float, message: str, /) -> None:
        """Say how far this part is."""
        whole = self._start + (self._end - self._start) * min(max(share, 0.0), 1.0)
        self._report(whole, f"{self._name}: {message}" if self._name else message)

    def tell(self, kind: EventKind, content: Mapping[str, Any], /) -> None:
        """Pass it on."""
        self._report.tell(kind, content)
