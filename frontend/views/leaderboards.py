"""All leaderboards that the user may see."""

from typing import Any, Final

import streamlit as st

from backend.fits.leaderboard_schemas import LeaderboardOut
from frontend import identity, metrics, permission, text
from frontend.pages import PageName, go
from frontend.project_filter import draw_project_filter
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown, page_title

LIVE_SECONDS: Final = 3
COLUMNS: Final[dict[str, Any]] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=240),
}


def draw() -> None:
    """The page."""
    page_title("Leaderboards", "Several estimators on the same rows, within a time budget.")
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    names = permission.project_names()
    project_id = draw_project_filter(names)
    if permission.may_write(identity.current_user()) and st.button(
        "New leaderboard", type="primary", help="By the form of a new fit: Try several estimators"
    ):
        go(PageName.NEW_FIT)
    boards = identity.leaderboards_api().leaderboards(project_id=project_id)
    if any(board.state == "running" for board in boards):
        _draw_live(project_id, names)
    else:
        _draw_list(boards, names)


@st.fragment(run_every=LIVE_SECONDS)
def _draw_live(project_id: int | None, names: dict[int, str]) -> None:
    with errors_shown("leaderboards_live"):
        boards = identity.leaderboards_api().leaderboards(project_id=project_id)
        if not any(board.state == "running" for board in boards):
            st.rerun()
        _draw_list(boards, names)


def _draw_list(boards: list[LeaderboardOut], names: dict[int, str]) -> None:
    if not boards:
        st.info("No leaderboards yet. The form of a new fit starts one: Try several estimators.")
        return
    by_id = {board.id: board for board in boards}
    state.selected_leaderboard = clickable_table(
        [_row(board, names) for board in boards],
        ids=list(by_id),
        selected=state.selected_leaderboard,
        key="leaderboards",
        columns=COLUMNS,
        alt="Table of leaderboards; the button below opens the chosen number",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ids = list(by_id)
        default = state.selected_leaderboard or ids[0]
        number = st.selectbox(
            "Leaderboard no.", ids, index=ids.index(default), key=f"board_no.{default}", width=150
        )
        if st.button("Open", type="primary", key="open_board"):
            go(PageName.LEADERBOARD, id=number)


def _row(board: LeaderboardOut, names: dict[int, str]) -> dict[str, Any]:
    done = board.total - board.unfinished
    return {
        "No.": board.id,
        "Name": board.name,
        "State": board.state,
        "Fits": f"{done} of {board.total}",
        "Target": board.target,
        "Ranked by": metrics.title(board.main_metric),
        "Best": "" if board.best_fit_id is None else f"fit {board.best_fit_id}",
        "Dataset": f"{board.dataset_name} v{board.version}",
        "Project": names.get(board.project_id, ""),
        "By": board.created_by,
        "Started": text.ago(board.created_at),
    }
