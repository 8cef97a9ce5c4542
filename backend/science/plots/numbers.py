"""The form of a computed plot; no drawing, no statistics."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlotNumbers:
    """A computed plot.

    Attributes
    ----------
    verdict, advice, alt
        One sentence on what it shows, what to do about it, and a text for those who cannot see it.
    data
        What `draw` needs, as JSON: finite numbers only.
    """

    kind: str
    title: str
    verdict: str
    advice: str
    alt: str
    data: dict[str, Any]
