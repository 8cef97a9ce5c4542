"""A fit that failed: the cause in a line, what to do about it, and the end of its log."""

from typing import Final

import streamlit as st

from backend.fits.schemas import FitErrorOut, FitOut
from frontend import text
from frontend.fit_log import draw_last_lines
from frontend.pages import PageName, link

ADVICE: Final = {
    "data": "Look at the column in the dataset's profile, or leave it out of the features.",
    "estimator": "Change the parameters, or take another estimator.",
    "memory_limit": "Give it more memory under limits, fewer features, or a smaller estimator.",
    "time_limit": "Give it more time under limits, the preset Fast, or fewer folds and trials.",
    "worker_lost": "Nothing is wrong with what you asked for, as far as is known. Run it again.",
    "process_died": "Its process was killed from outside, often for want of memory. Run it again.",
    "files": "A file that it needs could not be read. An administrator can look at the storage.",
    "budget": "Start the leaderboard again with more time, or this fit by itself.",
}


def draw_failure(fit: FitOut, *, may_refit: bool) -> None:
    """The page's part."""
    error = fit.error or FitErrorOut(message="This fit failed.")
    column = f"Column **{text.plain(error.column)}**: " if error.column else ""
    st.error(column + text.plain(error.message))
    st.markdown(f"{ADVICE[error.code]} The data are untouched.")
    if may_refit:
        link(
            PageName.NEW_FIT,
            "Rerun with changes",
            dataset=fit.dataset_id,
            v=fit.version,
            again=fit.id,
        )
    draw_last_lines(fit.id)
