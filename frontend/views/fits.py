"""All fits that the user may see: live, filtered by the address, acted upon by number."""

import uuid
from dataclasses import replace
from typing import Any

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, permission, queries, text
from frontend.address import in_address
from frontend.client import Api, FitQuery
from frontend.datasets_client import DatasetQuery
from frontend.fit_data import data_of, draw_why_no_rerun
from frontend.pages import PageName, go
from frontend.project_filter import draw_project_filter
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown, is_unfinished, page_title

STATES = ("queued", "running", "succeeded", "failed", "cancelled")
LIVE_SECONDS = 3
MOST_FITS = 200
MOST_DATASETS = 200
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Progress": st.column_config.ProgressColumn(
        min_value=0.0, max_value=1.0, format="percent", width=110
    ),
    "Name": st.column_config.TextColumn(width=200),
    "Project": st.column_config.TextColumn(width=110),
}


def draw() -> None:
    """The page."""
    page_title("Fits")
    names = permission.project_names()
    query = _draw_filters(names)
    if permission.may_write(identity.current_user()) and st.button(
        "New fit", type="primary", shortcut="N"
    ):
        go(PageName.NEW_FIT)
    fits = identity.api().fits(query)
    if any(is_unfinished(fit) for fit in fits):
        _draw_live(query, names)
    else:
        _draw_list(fits, query, names)


def _draw_filters(names: dict[int, str]) -> FitQuery:
    api = identity.api()
    titles = {entry.name: entry.title for entry in queries.estimators(api)}
    known = identity.datasets_api().datasets(DatasetQuery(limit=MOST_DATASETS))
    datasets = {entry.id: entry.name for entry in known}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fit_state = st.selectbox(
            "State", STATES, index=None, placeholder="any", **in_address("state", STATES)
        )
        estimator = st.selectbox(
            "Estimator",
            list(titles),
            index=None,
            format_func=lambda name: titles.get(name, name),
            placeholder="any",
            **in_address("estimator", titles),
        )
        dataset_id = st.selectbox(
            "Dataset",
            list(datasets),
            index=None,
            format_func=lambda number: f"{number} · {datasets.get(number, '')}",
            placeholder="any",
            **in_address("dataset", datasets),
        )
        project_id = draw_project_filter(names)
        mine = st.toggle("Only mine", **in_address("mine", usual=False))
    return FitQuery(
        state=fit_state,
        estimator=estimator,
        project_id=project_id,
        dataset_id=dataset_id,
        mine=mine,
        limit=MOST_FITS,
    )


@st.fragment(run_every=LIVE_SECONDS)
def _draw_live(query: FitQuery, names: dict[int, str]) -> None:
    with errors_shown("fits_live"):
        fits = identity.api().fits(query)
        if not any(is_unfinished(fit) for fit in fits):
            st.rerun()
        _draw_list(fits, query, names)


def _draw_list(fits: list[FitOut], query: FitQuery, names: dict[int, str]) -> None:
    if not fits:
        _draw_empty(query)
        return
    running = sum(is_unfinished(fit) for fit in fits)
    shown = f"{text.counted(len(fits), 'fit')}" + (f", {running} unfinished" if running else "")
    st.caption(f"{shown}, the newest first" + ("; older ones by filter" * (len(fits) == MOST_FITS)))
    fits_by_id = {fit.id: fit for fit in fits}
    state.selected_fit = clickable_table(
        [_row(fit, names) for fit in fits],
        ids=list(fits_by_id),
        selected=state.selected_fit,
        key="fits",
        columns=COLUMNS,
        alt="Table of fits; the buttons below act on the chosen number",
    )
    _draw_actions(fits_by_id)


def _draw_empty(query: FitQuery) -> None:
    filtered = replace(query, limit=MOST_FITS) != FitQuery(limit=MOST_FITS)
    st.info("No fit matches these filters." if filtered else "No fits yet.")


def _row(fit: FitOut, names: dict[int, str]) -> dict[str, Any]:
    return {
        "No.": fit.id,
        "State": fit.state.value,
        "Progress": fit.progress if is_unfinished(fit) else None,
        "Name": fit.name,
        "Project": names.get(fit.project_id, ""),
        "Result": text.leading_metric(fit.metrics),
        "Target": fit.target,
        "Dataset": f"{fit.dataset_name} v{fit.version}",
        "Estimator": fit.estimator.replace("_", " "),
        "By": fit.created_by,
        "Started": text.ago(fit.created_at),
        "Took": text.duration(fit.seconds),
    }


def _draw_actions(fits: dict[int, FitOut]) -> None:
    """Each action of a row as a button too: the grid is no place for a keyboard."""
    api = identity.api()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_fit or next(iter(fits))
        number = st.selectbox(
            "Fit no.",
            list(fits),
            index=list(fits).index(default),
            key=f"fit_number.{default}",
            width=120,
        )
        fit = fits[number]
        if st.button("Open", type="primary", key="open_fit"):
            go(PageName.FIT, id=fit.id)
        access = permission.access_to(fit.project_id)
        data = data_of(fit, access)
        if is_unfinished(fit):
            if access.may_stop and st.button("Cancel", key="cancel_fit"):
                api.cancel_fit(fit.id)
                st.rerun()
        elif access.may_edit and not data.why_not and st.button("Rerun", key="rerun_fit"):
            _rerun(api, fit)
    permission.draw_why_not(access)
    if not is_unfinished(fit):
        draw_why_no_rerun(access, data)


def _rerun(api: Api, fit: FitOut) -> None:
    again = api.rerun_fit(fit.id, key=uuid.uuid4().hex)
    go(PageName.FIT, id=again.id)
