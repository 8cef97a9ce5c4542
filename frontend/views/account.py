"""The own account: password, and where it is signed in."""

import streamlit as st

from backend.accounts.schemas import MINIMUM_PASSWORD_LENGTH, SessionOut, UserOut
from frontend import identity, text
from frontend.client import Refused
from frontend.state import state
from frontend.widgets import page_title


def draw() -> None:
    """The page."""
    user = identity.current_user()
    page_title("Account", f"{text.plain(user.username)} · {user.role.value}")
    if notice := state.pop("notice"):
        st.success(notice)
    _draw_password(user)
    _draw_sessions()


def _draw_password(user: UserOut) -> None:
    st.subheader("Change password" if user.has_password else "Set a password", anchor=False)
    with st.form("password", border=True, width=420):
        old = None
        if user.has_password:
            old = st.text_input(
                "Present password", type="password", autocomplete="current-password"
            )
        new = st.text_input(
            "New password",
            type="password",
            autocomplete="new-password",
            help=f"At least {MINIMUM_PASSWORD_LENGTH} characters; a sentence is a good one",
        )
        again = st.text_input("New password again", type="password", autocomplete="new-password")
        label = "Change password" if user.has_password else "Set password"
        if not st.form_submit_button(label, type="primary"):
            return
        problem = _password_problem(old, new, again)
        if problem:
            st.error(problem)
            return
        try:
            identity.api().change_password(old, new)
        except Refused as refusal:
            st.error(text.plain(refusal.detail))
            return
    identity.refresh_user()
    identity.renew_cookie()
    state.notice = "The password is set. Everywhere else you are signed out."
    st.rerun()


def _password_problem(old: str | None, new: str, again: str) -> str:
    if old == "":
        return "Type the present password."
    if len(new) < MINIMUM_PASSWORD_LENGTH:
        return f"The new password needs at least {MINIMUM_PASSWORD_LENGTH} characters."
    if new != again:
        return "The two new passwords differ."
    return ""


def _draw_sessions() -> None:
    st.subheader("Where you are signed in", anchor=False)
    st.caption("A browser counts once for its cookie, and once for each page that signed in.")
    for session in identity.api().sessions().items:
        _draw_session(session)


def _draw_session(session: SessionOut) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"session_{session.id}"
    ):
        where = f"{text.client_name(session.user_agent)} · {text.plain(session.address or 'here')}"
        kind = "cookie" if session.kind == "browser" else "page or program"
        st.markdown(f"**{where}** · {kind}" + (" · **this page**" if session.current else ""))
        st.caption(f"used {text.ago(session.last_used_at)} · ends {text.until(session.expires_at)}")
        if not session.current and st.button("End", key=f"end_{session.id}"):
            identity.api().end_session(session.id)
            state.notice = "That session has ended."
            st.rerun()
