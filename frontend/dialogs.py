"""Dialogs that stay open while the page behind them runs again, until they are answered."""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from frontend.client import ApiError, SignedOut
from frontend.state import state
from frontend.widgets import errors_shown, show_problems

REASON_LIMIT: Final = 1_000
REASON_MISSING: Final = "Say why, in a few words: it stays in the history."


def open_dialog(name: str) -> None:
    """Opens the dialog with this run."""
    state.dialog = name


def is_open(name: str) -> bool:
    """Whether the dialog is to be drawn."""
    return state.dialog == name


def close_dialog() -> None:
    """Also what a press on the cross does."""
    state.dialog = ""


def confirm_with_reason(label: str, act: Callable[[str], str], *, key: str, hint: str) -> None:
    """A required reason and the button; what went wrong is said here and the reason kept.

    `act` does it and answers the page's notice.
    """
    reason = st.text_area(
        "Reason", key=f"{key}.reason", max_chars=REASON_LIMIT, placeholder=hint, height=90
    )
    if not confirmed(label, key=key):
        return
    if not reason.strip():
        st.error(REASON_MISSING)
        return
    if done(partial(act, reason.strip())):
        close_dialog()
        st.rerun()


def confirmed(label: str, *, key: str) -> bool:
    """The button that does it, and the one that leaves all as it is."""
    with st.container(horizontal=True):
        pressed = st.button(label, type="primary", key=f"{key}.confirm")
        if st.button("Not now", key=f"{key}.leave"):
            close_dialog()
            st.rerun()
    return pressed


def finish(act: Callable[[], str]) -> None:
    """Does it and closes the dialog; what went wrong is said here and the dialog stays."""
    if done(act):
        close_dialog()
        st.rerun()


def done(act: Callable[[], str]) -> bool:
    """Whether it worked; `act` answers the next page's notice, what went wrong is said here."""
    try:
        state.notice = act()
    except SignedOut:
        raise
    except ApiError as error:
        show_problems(error)
        return False
    return True


def ask(name: str, *, title: str, markdown: str, label: str, act: Callable[[], str]) -> None:
    """The dialog of that name, where it is open: what would happen, and the button that does it.

    Both `title` and `markdown` are read as Markdown.
    """
    if not is_open(name):
        return

    @st.dialog(title, on_dismiss=close_dialog)
    def draw() -> None:
        with errors_shown(name):
            st.markdown(markdown)
            if confirmed(label, key=name) and done(act):
                close_dialog()
                st.rerun()

    draw()
