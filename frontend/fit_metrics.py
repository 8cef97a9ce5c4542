"""The scores of a fit: the leading ones on top of its page, and all of them in their tab."""

from typing import Any, Final, Literal

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import metrics, text

TILES: Final = 4


def draw_headline(fit: FitOut) -> None:
    """The main metric first, each beside the baseline."""
    names = metrics.headlines(fit.metrics, fit.main_metric)[:TILES]
    if not names:
        return
    with st.container(horizontal=True):
        for name in names:
            _draw_tile(fit, name)
    st.caption(_how_scored(fit))


def _draw_tile(fit: FitOut, name: str) -> None:
    delta: str | None = None
    color: Literal["green", "red", "off"] = "off"
    base = fit.baseline_metrics.get(name)
    if base is not None:
        delta = f"baseline {text.number(base)}"
        color = "green" if metrics.is_better(name, fit.metrics[name], base) else "red"
    st.metric(
        text.plain(metrics.title(name)),
        text.number(fit.metrics[name]),
        delta,
        delta_color=color,
        delta_arrow="off",
        border=True,
    )


def _how_scored(fit: FitOut) -> str:
    scored = text.counted(fit.rows_holdout or 0, "row")
    guess = "the mean" if fit.task == "regression" else "the most frequent class"
    parts = [f"On {scored} that the fit has not seen. The baseline always says {guess}."]
    name = metrics.leading(fit.metrics, fit.main_metric)
    if name in fit.metric_intervals:
        interval = fit.metric_intervals[name]
        low, high = text.number(interval.low), text.number(interval.high)
        parts.append(f"{metrics.title(name)}: 95 % interval from {low} to {high}.")
    if name in fit.metric_spread and len(fit.fold_metrics) > 1:
        spread = fit.metric_spread[name]
        mean, sd = text.number(spread.mean), text.number(spread.sd)
        parts.append(f"Over {len(fit.fold_metrics)} folds: {mean} ± {sd}.")
    return text.plain(" ".join(parts))


def draw_metrics(fit: FitOut) -> None:
    """The tab: one row per metric, then one row per fold."""
    if not fit.metrics:
        st.caption("Nothing was scored: all rows were fitted.")
        return
    folds = len(fit.fold_metrics) > 1
    names = metrics.in_order(fit.metrics, fit.main_metric)
    st.dataframe(
        [_row(fit, name, folds=folds) for name in names],
        hide_index=True,
        alt="All metrics with baseline and interval",
    )
    st.caption(
        "Intervals of 95 % by the bootstrap: the scored rows are drawn again."
        + (" Mean and deviation are those over the folds." if folds else "")
    )
    if folds:
        st.markdown(f"**{text.counted(len(fit.fold_metrics), 'fold')}**")
        st.dataframe(_fold_rows(fit, names), hide_index=True, alt="Metrics of each fold")


def _row(fit: FitOut, name: str, *, folds: bool) -> dict[str, Any]:
    interval, spread = fit.metric_intervals.get(name), fit.metric_spread.get(name)
    base = fit.baseline_metrics.get(name)
    row = {
        "Metric": metrics.title(name),
        "Value": text.number(fit.metrics[name]),
        "Baseline": "" if base is None else text.number(base),
        "Low": "" if interval is None else text.number(interval.low),
        "High": "" if interval is None else text.number(interval.high),
        "Better is": "less" if metrics.less_is_better(name) else "more",
    }
    if folds:
        row["Mean"] = "" if spread is None else text.number(spread.mean)
        row["Deviation"] = "" if spread is None else text.number(spread.sd)
    return row


def _fold_rows(fit: FitOut, names: list[str]) -> list[dict[str, Any]]:
    repeated = len({fold.repeat for fold in fit.fold_metrics}) > 1
    return [
        {
            **({"Repeat": fold.repeat + 1} if repeated else {}),
            "Fold": fold.fold + 1,
            "Rows": fold.rows,
            **{
                metrics.title(name): text.number(fold.metrics.get(name))
                for name in names
                if name in fold.metrics
            },
        }
        for fold in fit.fold_metrics
    ]
