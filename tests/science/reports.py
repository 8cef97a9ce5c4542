"""A report that remembers what it was told."""

from collections.abc import Mapping
from typing import Any

from backend.science.reporting import EventKind


class Remembered:
    """Progress and events in their order."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []
        self.told: list[tuple[EventKind, dict[str, Any]]] = []

    def __call__(self, share: float, message: str, /) -> None:
        self.seen.append((share, message))

    def tell(self, kind: EventKind, content: Mapping[str, Any], /) -> None:
        self.told.append((kind, dict(content)))

    @property
    def shares(self) -> list[float]:
        return [share for share, _ in self.seen]

    @property
    def lines(self) -> list[str]:
        return [content["text"] for kind, content in self.told if kind == "log"]
