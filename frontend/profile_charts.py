"""Charts of a profile: what the backend counted, drawn as bars."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import Histogram
from frontend import text
from frontend.theme import THEME
from frontend.widgets import theme

HEIGHT: Final = 240
BAR_HEIGHT: Final = 22
MOST_BARS: Final = 40


def draw_histogram(histogram: Histogram, *, name: str, summary: str) -> None:
    """Counts over the range of the values."""
    edges = histogram.edges
    bars = [
        {"from": low, "to": high, "count": count}
        for low, high, count in zip(edges, edges[1:], histogram.counts, strict=False)
    ]
    kind = "temporal" if edges and isinstance(edges[0], str) else "quantitative"
    axis: dict[str, Any] = {"field": "from", "type": kind, "title": name}
    if kind == "quantitative":
        axis |= {"bin": "binned", "scale": {"zero": False}}
    spec = {
        "height": HEIGHT,
        "mark": {"type": "bar", "binSpacing": 1, "color": _color()},
        "encoding": {
            "x": axis,
            "x2": {"field": "to"},
            "y": {"field": "count", "type": "quantitative", "title": "Rows"},
            "tooltip": [
                {"field": "from", "type": kind, "title": "From"},
                {"field": "to", "type": kind, "title": "To"},
                {"field": "count", "type": "quantitative", "title": "Rows"},
            ],
        },
    }
    _draw(spec, bars, alt=f"Histogram of {name}. {summary}")


def draw_bars(counts: Mapping[str, int], *, title: str, alt: str) -> None:
    """One bar for each name, in the given order; the first of them where they are many."""
    bars = [{"name": name, "count": count} for name, count in list(counts.items())[:MOST_BARS]]
    spec = {
        "height": {"step": BAR_HEIGHT},
        "mark": {"type": "bar", "color": _color()},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "title": title, "sort": None},
            "x": {"field": "count", "type": "quantitative", "title": "Count"},
            "tooltip": [
                {"field": "name", "type": "nominal", "title": title},
                {"field": "count", "type": "quantitative", "title": "Count"},
            ],
        },
    }
    _draw(spec, bars, alt=alt)
    if len(counts) > len(bars):
        st.caption(f"The first {len(bars)} of {text.counted(len(counts), 'entry', 'entries')}.")


def _color() -> str:
    return str(THEME[f"theme.{theme()}.primaryColor"])


def _draw(spec: dict[str, Any], bars: list[dict[str, Any]], *, alt: str) -> None:
    st.vega_lite_chart({**spec, "data": {"values": bars}}, alt=alt, width="stretch")
