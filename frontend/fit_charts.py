"""Charts of searches and leaderboards, from numbers of the backend."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from backend.fits.result_schemas import TrialList
from backend.fits.schemas import FitSummary
from frontend import metrics, text
from frontend.theme import THEME
from frontend.widgets import theme

HEIGHT: Final = 260
ROW_HEIGHT: Final = 26


def draw_trials_chart(trials: TrialList) -> None:
    """The score of each trial, and the best one so far as a line."""
    points = [
        {
            "number": trial.number,
            "score": trial.score,
            "best": trial.best_so_far,
            "state": trial.state,
        }
        for trial in trials.items
        if trial.score is not None or trial.best_so_far is not None
    ]
    if not points:
        return
    title = metrics.title(trials.metric)
    x = {"field": "number", "type": "quantitative", "title": "Trial", "axis": {"tickMinStep": 1}}
    scale = {"zero": False}
    y = {"type": "quantitative", "title": title, "scale": scale}
    spec = {
        "height": HEIGHT,
        "encoding": {"x": x},
        "layer": [
            {
                "mark": {"type": "point", "filled": True, "opacity": 0.6, "color": "#8a94a0"},
                "encoding": {
                    "y": {"field": "score", **y},
                    "tooltip": [
                        {"field": "number", "type": "quantitative", "title": "Trial"},
                        {"field": "score", "type": "quantitative", "title": title},
                        {"field": "state", "type": "nominal", "title": "State"},
                    ],
                },
            },
            {
                "mark": {"type": "line", "interpolate": "step-after", "color": _color()},
                "encoding": {"y": {"field": "best", **y}},
            },
        ],
    }
    best = [trial.best_so_far for trial in trials.items if trial.best_so_far is not None]
    alt = f"{title} of {text.counted(len(points), 'trial')}; the best so far is "
    st.vega_lite_chart(
        {**spec, "data": {"values": points}},
        alt=alt + (text.number(best[-1]) if best else "not known"),
        width="stretch",
    )
    st.caption("Points are trials, the line is the best score so far.")


def draw_ranking_chart(fits: Sequence[FitSummary], metric: str, titles: Sequence[str]) -> None:
    """One point per fit, with one deviation of the folds to each side where there are folds."""
    rows = [
        _ranked(fit, metric, title)
        for fit, title in zip(fits, titles, strict=True)
        if metric in fit.metrics
    ]
    if not rows:
        return
    axis = {"labelLimit": 260}
    y = {"field": "fit", "type": "nominal", "sort": None, "title": None, "axis": axis}
    name = metrics.title(metric)
    spec = {"height": {"step": ROW_HEIGHT}, "encoding": {"y": y}, "layer": _ranking_layers(name)}
    st.vega_lite_chart(
        {**spec, "data": {"values": rows}},
        alt=f"{name} of {text.counted(len(rows), 'fit')}; on top {rows[0]['fit']}",
        width="stretch",
    )
    if any(row["low"] != row["high"] for row in rows):
        st.caption("Bars span one deviation over the folds to each side.")
    st.caption("The grey line is the baseline.")


def _ranked(fit: FitSummary, metric: str, title: str) -> dict[str, Any]:
    value, spread = fit.metrics[metric], fit.metric_spread.get(metric)
    sd = spread.sd if spread else 0.0
    base = fit.baseline_metrics.get(metric)
    return {"fit": title, "value": value, "low": value - sd, "high": value + sd, "base": base}


def _ranking_layers(name: str) -> list[dict[str, Any]]:
    x: dict[str, Any] = {"type": "quantitative", "title": name, "scale": {"zero": False}}
    return [
        {
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5, "color": _color()},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "color": _color()},
            "encoding": {
                "x": {"field": "value", **x},
                "tooltip": [
                    {"field": "fit", "type": "nominal", "title": "Fit"},
                    {"field": "value", "type": "quantitative", "title": name},
                ],
            },
        },
        {
            "mark": {"type": "tick", "color": "#8a94a0", "thickness": 2},
            "encoding": {"x": {"field": "base", **x}},
        },
    ]


def _color() -> str:
    return str(THEME[f"theme.{theme()}.primaryColor"])
