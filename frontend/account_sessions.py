"""Where one is signed in, and how to end it."""

import streamlit as st

from backend.accounts.schemas import SessionOut
from frontend import identity, text
from frontend.client import ApiError, SignedOut
from frontend.dialogs import close_dialog, is_open, open_dialog
from frontend.state import state
from frontend.widgets import errors_shown, show_error

EVERYWHERE = "sign_out_everywhere"


def draw_sessions() -> None:
    """The tab."""
    sessions = identity.api().sessions().items
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{text.counted(len(sessions), 'session')}. A browser counts once for its cookie, and "
            "once for each page that signed in."
        )
        if st.button("Sign out everywhere", key=EVERYWHERE):
            open_dialog(EVERYWHERE)
    if is_open(EVERYWHERE):
        _confirm_everywhere()
    for session in sorted(sessions, key=lambda session: not session.current):
        _draw_session(session)


def _draw_session(session: SessionOut) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"session_{session.id}"
    ):
        device = text.device_name(session.user_agent)
        kind = "cookie" if session.kind == "browser" else "page or program"
        with st.container(gap=None):
            st.markdown(f"**{text.plain(device)}** · {kind}")
            st.caption(
                f"from {text.plain(session.address or 'an unknown address')} · "
                f"used {text.ago(session.last_used_at)} · "
                f"signed in {text.ago(session.created_at)} · "
                f"ends {text.until(session.expires_at)}"
            )
        if session.current:
            st.badge("this page", color="green")
        elif st.button("End", key=f"end_{session.id}"):
            identity.api().end_session(session.id)
            state.notice = "That session has ended."
            st.rerun()


@st.dialog("Sign out everywhere", on_dismiss=close_dialog)
def _confirm_everywhere() -> None:
    with errors_shown(EVERYWHERE):
        st.markdown(
            "Every browser, page and program that is signed in as you is signed out, **this page "
            "too**. API tokens go on working; revoke them one by one."
        )
        with st.container(horizontal=True):
            pressed = st.button("Sign out everywhere", type="primary", key="everywhere.confirm")
            if st.button("Not now", key="everywhere.leave"):
                close_dialog()
                st.rerun()
        if not pressed:
            return
        try:
            identity.sign_out_everywhere()
        except SignedOut:
            raise
        except ApiError as error:
            show_error(error)
            return
        st.rerun()
