"""One leaderboard: the ranking, live while its fits run."""

from functools import partial
from typing import Any, Final

import streamlit as st

from backend.fits.leaderboard_schemas import LeaderboardDetail
from backend.fits.schemas import FitSummary
from frontend import identity, metrics, permission, queries, text
from frontend.client import NotThere, Refused
from frontend.dialogs import ask, open_dialog
from frontend.fit_charts import draw_ranking_chart
from frontend.fit_data import draw_dataset_of
from frontend.pages import PageName, go, link, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.register import draw_registration, is_registering, read_registration
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown, not_there, page_title

LIVE_SECONDS: Final = 2
COLORS: Final = {"running": "blue", "finished": "green", "cancelled": "orange"}
NUMBER: Final = st.column_config.NumberColumn(width=60, format="%d")


def draw() -> None:
    """The page; `?id=3` names the leaderboard."""
    number = number_parameter("id")
    if number is None:
        page_title("Leaderboard")
        st.info("Which one? They are in the list.")
        link(PageName.LEADERBOARDS, "Leaderboards")
        return
    try:
        board = identity.leaderboards_api().leaderboard(number)
        access = permission.access_to(board.project_id)
    except NotThere:
        if state.notice:  # it was deleted just now
            go(PageName.LEADERBOARDS)
        page_title(f"Leaderboard {number}")
        not_there("leaderboard", number)
        return
    _draw_header(board, access)
    _draw_actions(board, access)
    # A dialog must not be drawn anew under the reader's hands.
    live = board.state == "running" and not _is_registering(board)
    # What a live part drew may stay beside what comes after it, so it holds no buttons, and its
    # place is cleared before anything else is drawn there.
    place = st.empty()
    with place.container():
        if live:
            _watch(board.id)
        else:
            _draw_board(board)
    if board.fits:
        _draw_bar(board, access)


def _is_registering(board: LeaderboardDetail) -> bool:
    return any(is_registering(fit) for fit in board.fits)


def _draw_header(board: LeaderboardDetail, access: Access) -> None:
    page_title(text.plain(board.name))
    by, asked = text.plain(board.created_by), text.ago(board.created_at)
    st.caption(f"Leaderboard {board.id} · by {by} · {asked}")
    draw_project_line(access)
    data = f"Dataset {board.dataset_id} · {text.plain(board.dataset_name)}"
    draw_dataset_of(board.dataset_id, board.version, f"{data}, version {board.version}")
    if notice := state.pop("notice"):
        st.success(text.plain(notice))


@st.fragment(run_every=LIVE_SECONDS)
def _watch(number: int) -> None:
    with errors_shown("leaderboard", live=True):
        board = identity.leaderboards_api().leaderboard(number)
        if board.state != "running":
            st.rerun()
        before = state.selected_ranked
        _draw_board(board)
        if state.selected_ranked != before:
            st.rerun()  # the buttons below stand outside


def _draw_board(board: LeaderboardDetail) -> None:
    _draw_state(board)
    titles = {entry.name: entry.title for entry in queries.estimators(identity.fits_api())}
    scored = [fit for fit in board.fits if board.main_metric in fit.metrics]
    if scored:
        names = [f"{titles.get(fit.estimator, fit.estimator)} ({fit.id})" for fit in scored]
        draw_ranking_chart(scored, board.main_metric, names)
    if board.fits:
        _draw_ranking(board, titles)
    for left_out in board.request.get("left_out", []):
        name = titles.get(str(left_out.get("estimator")), str(left_out.get("estimator")))
        st.caption(text.plain(f"Left out: {name}, {left_out.get('reason')}."))


def _draw_state(board: LeaderboardDetail) -> None:
    finished = board.total - board.unfinished
    said = f"{finished} of {text.counted(board.total, 'fit')} are done"
    if board.state == "running":
        if board.seconds_left is not None:
            said += f", {text.duration(board.seconds_left)} of the budget are left"
        st.progress(finished / board.total if board.total else 0.0, text=f"{said}.")
    else:
        budget = text.duration(board.budget_seconds)
        st.caption(f"{board.state.capitalize()}: {said}; the budget was {budget}.")


def _draw_actions(board: LeaderboardDetail, access: Access) -> None:
    name = f"delete_leaderboard.{board.id}"
    with st.container(horizontal=True, vertical_alignment="center", key="board_actions"):
        if board.state == "running":
            if access.may_stop and st.button("Cancel", key="cancel_board"):
                _cancel(board.id)
        elif access.may_edit and st.button("Delete", key="delete_board"):
            open_dialog(name)
    ask(
        name,
        title="Delete this leaderboard",
        markdown="Its fits stay as they are.",
        label="Delete",
        act=partial(_delete, board.id),
    )


def _cancel(number: int) -> None:
    try:
        identity.leaderboards_api().cancel_leaderboard(number)
    except Refused as error:  # it may have ended in the meantime
        if isinstance(error, NotThere):
            raise
    st.rerun()


def _delete(number: int) -> str:
    identity.leaderboards_api().delete_leaderboard(number)
    return f"Leaderboard {number} is deleted."


def _draw_ranking(board: LeaderboardDetail, titles: dict[str, str]) -> None:
    ranked = [fit.id for fit in board.fits if board.main_metric in fit.metrics]
    state.selected_ranked = clickable_table(
        [_row(fit, board.main_metric, titles, ranked) for fit in board.fits],
        ids=[fit.id for fit in board.fits],
        selected=state.selected_ranked,
        key="ranking",
        columns={"Rank": NUMBER, "Fit": NUMBER},
        alt="Ranking; the buttons below act on the chosen fit",
        placeholder="",
    )


def _draw_bar(board: LeaderboardDetail, access: Access) -> None:
    """What can be done with one of the fits."""
    by_id = {fit.id: fit for fit in board.fits}
    with st.container(horizontal=True, vertical_alignment="bottom", key="ranking_bar"):
        ids = list(by_id)
        default = next(
            (one for one in (state.selected_ranked, board.best_fit_id) if one in by_id), ids[0]
        )
        number = st.selectbox(
            "Fit no.", ids, index=ids.index(default), key=f"ranked_no.{default}", width=120
        )
        fit = by_id[number]
        if st.button("Open", type="primary", key="open_ranked"):
            go(PageName.FIT, id=fit.id)
        if board.state != "running" and fit.state.value == "succeeded":
            draw_registration(fit, read_registration(fit), may_edit=access.may_edit)


def _row(fit: FitSummary, metric: str, titles: dict[str, str], ranked: list[int]) -> dict[str, Any]:
    value, spread = fit.metrics.get(metric), fit.metric_spread.get(metric)
    baseline = fit.baseline_metrics.get(metric)
    return {
        "Rank": ranked.index(fit.id) + 1 if fit.id in ranked else None,
        "Estimator": titles.get(fit.estimator, fit.estimator),
        metrics.title(metric): None if value is None else text.number(value),
        "±": "" if spread is None or not spread.sd else text.number(spread.sd),
        "Baseline": "" if baseline is None else text.number(baseline),
        "State": f"queued, {fit.position} before it" if fit.position else fit.state.value,
        "Took": text.duration(fit.seconds),
        "Fit": fit.id,
        "Why": fit.error.message if fit.error else "",
    }
