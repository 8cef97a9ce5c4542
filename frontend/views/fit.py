"""One fit: its state while it runs, then the diagnostics first."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, permission, queries, text
from frontend.client import NotThere, Refused
from frontend.fit_data import FitData, data_of, draw_dataset_link, draw_why_no_rerun
from frontend.moving import draw_move, fit_item
from frontend.pages import PageName, go, link, mlflow_page, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.register import draw_registration, is_registering, read_registration
from frontend.share import draw_share
from frontend.state import state
from frontend.widgets import (
    errors_shown,
    is_unfinished,
    not_there,
    page_title,
    plot_image,
    state_badge,
)

FAST_SECONDS = 1
SLOW_SECONDS = 2
FAST_FOR_SECONDS = 30.0
TRACKING_SECONDS = 3
WORST_ROWS = 10


def draw() -> None:
    """The page; `?id=42` names the fit."""
    fit_id = number_parameter("id")
    if fit_id is None:
        page_title("Fit")
        st.info("Which one? The fits are in the list.")
        link(PageName.FITS, "Fits")
        return
    try:
        fit = identity.api().fit(fit_id)
        access = permission.access_to(fit.project_id)
        data = data_of(fit, access)
    except NotThere:
        page_title(f"Fit {fit_id}")
        not_there("fit", fit_id)
        return
    _draw_header(fit, access, data)
    match fit.state.value:
        case "queued" | "running":
            _draw_unfinished(fit)
        case "succeeded":
            _draw_results(fit)
        case "failed":
            _draw_failure(fit, may_refit=access.may_edit and not data.why_not)
        case _:
            st.info(text.plain(fit.progress_message) or "Cancelled.")
    _draw_details(fit, data)


def _draw_header(fit: FitOut, access: Access, data: FitData) -> None:
    page_title(text.plain(fit.name))
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(fit)
        st.caption(f"Fit {fit.id} · by {text.plain(fit.created_by)} · {_when(fit)}")
    draw_project_line(access)
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    with st.container(horizontal=True, vertical_alignment="center", key="fit_actions"):
        if fit.mlflow_url is not None:
            st.link_button("Open in MLflow ↗", mlflow_page(fit.mlflow_url))
        may_rerun = access.may_edit and not data.why_not and not is_unfinished(fit)
        if may_rerun and st.button("Rerun", key="rerun"):
            again = identity.api().rerun_fit(fit.id, key=uuid.uuid4().hex)
            go(PageName.FIT, id=again.id)
        registration = read_registration(fit)
        item = fit_item(fit.id, fit.name, model=registration.model_name)
        draw_share(access, item)
        draw_move(access, item)
        draw_registration(fit, registration, may_edit=access.may_edit)
    if not is_unfinished(fit):
        draw_why_no_rerun(access, data)
    # Timers stop when the browser leaves a page, not when the server does: one that fires while
    # the dialog leads to the model's page names this page, and Streamlit then clears that one.
    if fit.state.value == "succeeded" and fit.tracking == "pending" and not is_registering(fit):
        _watch_tracking(fit.id)


def _when(fit: FitOut) -> str:
    if fit.seconds is not None:
        return f"took {text.duration(fit.seconds)}, {text.ago(fit.created_at)}"
    return f"asked for {text.ago(fit.created_at)}"


@st.fragment(run_every=TRACKING_SECONDS)
def _watch_tracking(fit_id: int) -> None:
    with errors_shown("tracking", live=True):
        if identity.api().fit(fit_id).tracking == "recorded":
            st.rerun()
        st.caption("Being recorded in MLflow …")


def _draw_unfinished(fit: FitOut) -> None:
    if is_watched_fast(fit):
        _watch_fast(fit.id)
    else:
        _watch_slowly(fit.id)


def is_watched_fast(fit: FitOut) -> bool:
    """Whether it may end at any moment; most fits do within their first seconds."""
    if fit.started_at is None:
        return fit.attempt <= 1
    running = (datetime.now(UTC) - fit.started_at).total_seconds()
    return running < FAST_FOR_SECONDS and fit.attempt <= 1


@st.fragment(run_every=FAST_SECONDS)
def _watch_fast(fit_id: int) -> None:
    _watch(fit_id, fast=True)


@st.fragment(run_every=SLOW_SECONDS)
def _watch_slowly(fit_id: int) -> None:
    _watch(fit_id)


def _watch(fit_id: int, *, fast: bool = False) -> None:
    with errors_shown("watch", live=True):
        api = identity.api()
        fit = api.fit(fit_id)
        if not is_unfinished(fit) or (fast and not is_watched_fast(fit)):
            st.rerun()
        message = text.plain(fit.progress_message) or _waiting_text(fit)
        st.progress(min(1.0, max(0.0, fit.progress)), text=message)
        if fit.attempt > 1:
            st.caption(f"Attempt {fit.attempt}: the worker of the one before was lost.")
        may_stop = permission.access_to(fit.project_id).may_stop
        if may_stop and st.button("Cancel", key="cancel"):
            with suppress(Refused):  # it may have ended in the meantime
                api.cancel_fit(fit_id)
            st.rerun()


def _waiting_text(fit: FitOut) -> str:
    return "Waiting for a worker …" if fit.state.value == "queued" else "Running …"


def _draw_failure(fit: FitOut, *, may_refit: bool) -> None:
    if fit.error is None:
        st.error("This fit failed.")
        return
    column = f"Column **{text.plain(fit.error.column)}**: " if fit.error.column else ""
    st.error(column + text.plain(fit.error.message))
    if may_refit:
        st.caption("The data are untouched. Change the file or the form, and run again.")
        link(PageName.NEW_FIT, "Change the form", dataset=fit.dataset_id, v=fit.version)


def _draw_results(fit: FitOut) -> None:
    _draw_metrics(fit)
    for warning in fit.warnings:
        st.warning(text.plain(warning))
    plots = identity.api().plots(fit.id).items
    if not plots:
        st.info("All rows were fitted; without a hold-out there is nothing to plot.")
        return
    left, right = st.columns([7, 4], gap="large")
    with left:
        for plot in plots:
            _draw_plot(fit.id, plot.kind)
    with right:
        _draw_worst_rows(fit)


def _draw_metrics(fit: FitOut) -> None:
    known = [name for name in text.METRIC_TITLES if name in fit.metrics]
    if not known:
        return
    with st.container(horizontal=True):
        for name in known:
            _draw_metric(name, fit.metrics, fit.baseline_metrics)
    scored = text.counted(fit.rows_holdout or 0, "row")
    guess = "the mean" if fit.task == "regression" else "the most frequent class"
    st.caption(f"On {scored} that the fit has not seen. The baseline always says {guess}.")


def _draw_metric(name: str, metrics: Mapping[str, float], baseline: Mapping[str, float]) -> None:
    delta: str | None = None
    color: Literal["green", "red", "off"] = "off"
    if name in baseline:
        better = (metrics[name] < baseline[name]) is (name in text.LESS_IS_BETTER)
        delta, color = f"baseline {text.number(baseline[name])}", "green" if better else "red"
    st.metric(
        text.METRIC_TITLES[name],
        text.number(metrics[name]),
        delta,
        delta_color=color,
        delta_arrow="off",
        border=True,
    )


def _draw_plot(fit_id: int, kind: str) -> None:
    title, verdict, advice, alt = queries.plot_texts(identity.api(), fit_id, kind)
    plot_image(fit_id, kind, alt=f"{title}. {alt}", width=680, height=510)
    with st.container(border=True, key=f"verdict_{kind}"):
        st.markdown(f"**{text.plain(verdict)}** {text.plain(advice)}")


def _draw_worst_rows(fit: FitOut) -> None:
    page = identity.api().residuals(fit.id, limit=WORST_ROWS)
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


def _draw_details(fit: FitOut, data: FitData) -> None:
    with st.expander("What was fitted"):
        name = f"{text.plain(fit.dataset_name)}, version {fit.version}"
        label = f"Dataset {fit.dataset_id} · {name}"
        draw_dataset_link(fit.dataset_id, fit.version, label, is_seen=data.is_seen)
        parameters = ", ".join(f"{name} = {value}" for name, value in fit.params.items())
        facts = {
            "Target": fit.target,
            "Estimator": fit.estimator.replace("_", " "),
            "Parameters": parameters or "none",
            "Validation": ", ".join(f"{name} {value}" for name, value in fit.validation.items()),
            "Seed": str(fit.seed),
            "Rows": "-" if fit.rows_used is None else text.counted(fit.rows_used, "row"),
            "Columns": ", ".join(fit.features or []) or "all usable ones",
            "Recorded in MLflow": "yes" if fit.tracking == "recorded" else "not yet",
        }
        for name, fact in facts.items():
            st.markdown(f"**{name}** · {text.plain(fact)}")
        for excluded in fit.excluded:
            st.caption(f"Left out: {text.plain(excluded.column)}, {text.plain(excluded.reason)}.")
