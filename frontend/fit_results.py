"""The results of a fit: diagnostics first, then everything else in tabs."""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from backend.fits.result_schemas import PlotSummary
from backend.fits.schemas import FitOut
from frontend import identity, queries, text
from frontend.address import draw_tabs
from frontend.fit_coefficients import draw_coefficients
from frontend.fit_log import draw_log
from frontend.fit_metrics import draw_headline, draw_metrics
from frontend.fit_notes import draw_notes
from frontend.fit_reproduce import draw_reproduce
from frontend.fit_trials import draw_trials
from frontend.widgets import plot_image

WORST_ROWS: Final = 100
PLOTS_IN_A_ROW: Final = 2


def draw_results(fit: FitOut, *, may_edit: bool, may_rerun: bool) -> None:
    """Of a fit that succeeded."""
    draw_headline(fit)
    for warning in fit.warnings:
        st.warning(text.plain(warning))
    plots = identity.fits_api().plots(fit.id).items
    if plots:
        _draw_plots(fit, plots)
    else:
        st.info("All rows were fitted; without a hold-out there is nothing to plot.")
    draw_tabs(_tabs(fit, may_edit=may_edit, may_rerun=may_rerun))


def _tabs(fit: FitOut, *, may_edit: bool, may_rerun: bool) -> dict[str, Callable[[], None]]:
    tabs: dict[str, Callable[[], None]] = {"Metrics": partial(draw_metrics, fit)}
    catalogue = {entry.name: entry for entry in queries.estimators(identity.fits_api())}
    entry = catalogue.get(fit.estimator)
    if entry is not None and entry.has_coefficients:
        tabs["Coefficients"] = partial(draw_coefficients, fit)
    if fit.rows_holdout:
        tabs["Rows"] = partial(_draw_worst_rows, fit)
    if fit.search is not None:
        tabs["Trials"] = partial(draw_trials, fit, may_rerun=may_rerun)
    return {
        **tabs,
        "Log": partial(draw_log, fit),
        "Reproduce": partial(draw_reproduce, fit, may_rerun=may_rerun),
        "Notes & tags": partial(draw_notes, fit, may_edit=may_edit),
    }


def _draw_plots(fit: FitOut, plots: list[PlotSummary]) -> None:
    """Two in a row; a single one has its verdict beside it."""
    if len(plots) == 1:
        left, right = st.columns([7, 4], gap="large", vertical_alignment="center")
        _draw_plot(fit.id, plots[0].kind, left, right)
        return
    for first in range(0, len(plots), PLOTS_IN_A_ROW):
        columns = st.columns(PLOTS_IN_A_ROW, gap="large")
        for column, plot in zip(columns, plots[first : first + PLOTS_IN_A_ROW], strict=False):
            _draw_plot(fit.id, plot.kind, column, column)


def _draw_plot(
    fit_id: int,
    kind: str,
    place: st.delta_generator.DeltaGenerator,
    verdict_place: st.delta_generator.DeltaGenerator,
) -> None:
    title, verdict, advice, alt = queries.plot_texts(identity.fits_api(), fit_id, kind)
    with place:
        plot_image(fit_id, kind, alt=f"{title}. {alt}", width=680, height=510)
    with verdict_place, st.container(border=True, key=f"verdict_{kind}"):
        st.markdown(f"**{text.plain(verdict)}** {text.plain(advice)}")


def _draw_worst_rows(fit: FitOut) -> None:
    page = identity.fits_api().residuals(fit.id, limit=WORST_ROWS)
    regression = fit.task == "regression"
    st.subheader("Largest residuals" if regression else "Wrong predictions", anchor=False)
    rows = [
        {
            "Row": row.row,
            "Observed": row.observed,
            "Predicted": row.predicted,
            **({"Residual": row.residual} if regression else {}),
        }
        for row in page.items
        if regression or row.observed != row.predicted
    ]
    if not rows:
        st.caption("None: every held-out row got its class.")
        return
    config = {
        name: st.column_config.NumberColumn(format="%.4g")
        for name in ("Observed", "Predicted", "Residual")
        if regression
    }
    st.dataframe(rows, hide_index=True, column_config=config, alt="Hold-out rows, worst first")
    st.caption(f"Rows count from 0; {text.counted(page.total, 'row')} were held out.")
