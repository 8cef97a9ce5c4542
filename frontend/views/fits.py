"""All fits that the user may see: live, filtered by the address, acted upon by number."""

from dataclasses import replace
from typing import Any, Final

import streamlit as st

from backend.core.schemas import Page
from backend.fits.schemas import FitSummary
from frontend import identity, metrics, permission, text
from frontend.fit_filters import PAGE, draw_filters
from frontend.fit_list_actions import draw_actions
from frontend.fits_client import NEWEST, FitQuery
from frontend.pages import PageName, go
from frontend.state import Listed, state
from frontend.tables import table_key, tickable_table
from frontend.widgets import errors_shown, is_unfinished, page_title

LIVE_SECONDS: Final = 3
TABLE: Final = "fits"
COLUMNS: Final[dict[str, Any]] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "★": st.column_config.TextColumn(width=30),
    "Progress": st.column_config.ProgressColumn(
        min_value=0.0, max_value=1.0, format="percent", width=110
    ),
    "Name": st.column_config.TextColumn(width=200),
    "Result": st.column_config.TextColumn(width=170),
    "Project": st.column_config.TextColumn(width=110),
}


def draw() -> None:
    """The page."""
    page_title("Fits")
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    names = permission.project_names()
    query = draw_filters(names)
    with st.container(horizontal=True):
        if permission.may_write(identity.current_user()) and st.button(
            "New fit", type="primary", shortcut="N"
        ):
            go(PageName.NEW_FIT)
    page = _read(query)
    if any(is_unfinished(fit) for fit in page.items):
        _draw_live(query, names)
    else:
        _draw_list(page, query, names)


def _read(query: FitQuery) -> Page[FitSummary]:
    """The page of the list that was turned to; other filters begin at its start."""
    if state.listed_fits is None or state.listed_fits.query != repr(query):
        state.fit_pages, state.listed_fits = (), Listed(repr(query), ())
    pages = state.fit_pages
    return identity.fits_api().fit_page(query, cursor=pages[-1] if pages else None)


@st.fragment(run_every=LIVE_SECONDS)
def _draw_live(query: FitQuery, names: dict[int, str]) -> None:
    with errors_shown("fits_live"):
        page = _read(query)
        if not any(is_unfinished(fit) for fit in page.items):
            st.rerun()
        _draw_list(page, query, names)


def _draw_list(page: Page[FitSummary], query: FitQuery, names: dict[int, str]) -> None:
    fits = _held(page.items, query)
    if not fits:
        _draw_empty(query)
        return
    running = sum(is_unfinished(fit) for fit in fits)
    shown = f"{text.counted(len(fits), 'fit')}" + (f", {running} unfinished" if running else "")
    first = len(state.fit_pages) * PAGE
    st.caption(shown + (f", after the first {first:,}" if first else ""))
    _draw_news(page.items, fits)
    by_id = {fit.id: fit for fit in fits}
    state.ticked_fits = tickable_table(
        [_row(fit, names, live=running > 0) for fit in fits],
        ids=list(by_id),
        ticked=state.ticked_fits,
        key=TABLE,
        columns=COLUMNS,
        alt="Table of fits; the buttons below act on the ticked ones",
    )
    draw_actions(by_id)
    _draw_pages(page)


def _held(fresh: list[FitSummary], query: FitQuery) -> list[FitSummary]:
    """The rows that are being read, each as it is now: nothing moves under the reader's eyes.

    Whoever comes to the page anew, or changes the filters, gets the list as it is.
    """
    listed = state.listed_fits
    held = listed.fits if listed is not None and listed.query == repr(query) else ()
    is_read = state.widget(table_key(TABLE, [fit.id for fit in held])) is not None
    now = {fit.id: fit for fit in fresh}
    rows = [now.get(fit.id, fit) for fit in held] if held and is_read else fresh
    state.listed_fits = Listed(repr(query), tuple(rows))
    return rows


def _draw_news(fresh: list[FitSummary], shown: list[FitSummary]) -> None:
    before, now = [fit.id for fit in shown], [fit.id for fit in fresh]
    if before == now:
        return
    new = len(set(now) - set(before))
    label = f"Show {text.counted(new, 'new fit')}" if new else "The order has changed: show it"
    if st.button(label, type="tertiary", key="show_news"):
        state.listed_fits = None
        st.rerun()


def _draw_pages(page: Page[FitSummary]) -> None:
    pages = state.fit_pages
    if not pages and page.next_cursor is None:
        return
    with st.container(horizontal=True):
        if pages and st.button("Newer ones", key="newer_fits"):
            _turn_to(pages[:-1])
        if page.next_cursor is not None and st.button("Older ones", key="older_fits"):
            _turn_to((*pages, page.next_cursor))


def _turn_to(pages: tuple[str, ...]) -> None:
    listed = state.listed_fits
    state.fit_pages = pages
    state.listed_fits = None if listed is None else Listed(listed.query, ())
    state.ticked_fits = ()
    st.rerun()


def _draw_empty(query: FitQuery) -> None:
    if query.trashed:
        st.info("No fit is in the trash.")
        return
    filtered = replace(query, sort=NEWEST) != FitQuery(limit=PAGE)
    st.info("No fit matches these filters." if filtered else "No fits yet.")


def _row(fit: FitSummary, names: dict[int, str], *, live: bool) -> dict[str, Any]:
    name = metrics.leading(fit.metrics, fit.main_metric)
    baseline = fit.baseline_metrics.get(name) if name else None
    return {
        "No.": fit.id,
        "★": "★" if fit.starred else "",
        "State": _state(fit),
        **({"Progress": fit.progress if is_unfinished(fit) else None} if live else {}),
        "Name": fit.name,
        "Result": metrics.with_spread(fit),
        "Baseline": "" if baseline is None else text.number(baseline),
        "Target": fit.target,
        "Dataset": f"{fit.dataset_name} v{fit.version}",
        "Estimator": fit.estimator.replace("_", " "),
        "Project": names.get(fit.project_id, ""),
        "By": fit.created_by,
        "Started": text.ago(fit.created_at),
        "Took": text.duration(fit.seconds),
        "Tags": ", ".join(f"{key}={value}" if value else key for key, value in fit.tags.items()),
    }


def _state(fit: FitSummary) -> str:
    if fit.position:
        return f"queued, {fit.position} before you"
    return fit.state.value
