"""The files of a version: downloads, and a link that works for a short time without a sign-in."""

from functools import partial
from typing import Final

import streamlit as st

from backend.datasets.schemas import DatasetOut, DownloadFormat
from frontend import identity, text
from frontend.client import ApiError, SignedOut
from frontend.routes import PREFIX
from frontend.state import FileLink, state
from frontend.widgets import show_error

ORIGINAL: Final = "original"
TITLES: Final[dict[DownloadFormat, str]] = {
    "original": "Original file",
    "csv": "CSV",
    "parquet": "Parquet",
}
HINTS: Final[dict[DownloadFormat, str]] = {
    "original": "The bytes as they were uploaded",
    "csv": "The typed table, safe to open in a spreadsheet",
    "parquet": "The typed table with its types",
}


def draw_downloads(dataset: DatasetOut, version: int) -> None:
    """The menu."""
    forms: list[DownloadFormat] = ["original", "csv", "parquet"]
    if dataset.kind == "image":
        forms = ["original"]
    with st.popover("Download", key="downloads"):
        for form in forms:
            query = "" if form == ORIGINAL else f"?format={form}"
            st.link_button(
                TITLES[form],
                f"{PREFIX}/datasets/{dataset.id}/{version}{query}",
                help=HINTS[form],
                width="stretch",
            )
        st.caption("A link for a program or a colleague; it needs no sign-in, for some minutes.")
        form = ORIGINAL
        if len(forms) > 1:
            form = st.segmented_control(
                "Link to",
                forms,
                format_func=lambda name: TITLES[name],
                default=ORIGINAL,
                required=True,
                key="link_form",
            )
        # As a callback: the press would otherwise close the menu before it shows the link.
        st.button(
            "Make a link",
            key="make_link",
            on_click=partial(_make_link, dataset.id, version, form),
        )
        _draw_link(dataset.id, version, form)


def _make_link(dataset_id: int, version: int, form: DownloadFormat) -> None:
    state.file_link, state.file_link_problem = None, None
    try:
        link = identity.datasets_api().link(dataset_id, version, form)
    except SignedOut:
        return  # the page itself finds out
    except ApiError as error:
        state.file_link_problem = error
        return
    state.file_link = FileLink(dataset_id, version, form, link)


def _draw_link(dataset_id: int, version: int, form: DownloadFormat) -> None:
    if problem := state.file_link_problem:
        state.file_link_problem = None
        show_error(problem)
    kept = state.file_link
    if kept is None or (kept.dataset_id, kept.version, kept.form) != (dataset_id, version, form):
        return
    st.code(kept.link.url, language=None, wrap_lines=True)
    st.caption(f"It ends {text.until(kept.link.expires_at)}.")
