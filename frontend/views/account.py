"""The own account: profile, password, sessions, tokens, history."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from frontend import identity, text, ways_in
from frontend.account_history import draw_history
from frontend.account_profile import draw_password, draw_profile
from frontend.account_sessions import draw_sessions
from frontend.account_tokens import draw_tokens
from frontend.address import draw_tabs
from frontend.state import state
from frontend.widgets import page_title

TABS: Final[dict[str, Callable[[], None]]] = {
    "Profile": draw_profile,
    "Password": draw_password,
    "Sessions": draw_sessions,
    "Tokens": draw_tokens,
    "History": draw_history,
}


def draw() -> None:
    """The page; `?part=Tokens` names what is shown."""
    user = identity.current_user()
    page_title("Account", f"{text.plain(user.username)} · {user.role.value}")
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    shown = dict(TABS)
    if not ways_in.options().password:
        del shown["Password"]
    draw_tabs(shown, key="part")
