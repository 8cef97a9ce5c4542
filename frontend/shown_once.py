"""Secrets that are shown once: a new token, a link for somebody."""

import shlex
from typing import Final, NoReturn

import streamlit as st

from backend.accounts.schemas import ApiTokenCreated, LinkOut
from frontend import text
from frontend.client import BASE
from frontend.clock import day_and_time
from frontend.dialogs import close_dialog
from frontend.settings import dashboard_settings
from frontend.state import Shown, state

LINK_WORDS: Final = {
    "invitation": "It lets **{name}** choose a password and signs them in.",
    "reset": "It lets **{name}** choose a new password and signs them in.",
}


def show_token(token: ApiTokenCreated) -> NoReturn:
    """Closes the open dialog and shows the token in its place."""
    ends = "never ends" if token.expires_at is None else f"ends on {day_and_time(token.expires_at)}"
    name, owner = text.plain(token.name), text.plain(token.username)
    _show(
        Shown(
            markdown=f"The token **{name}** of {owner} {ends}.",
            secret=token.token,
            scope=token.scope.value,
            limited=token.project_id is not None,
        )
    )


def show_link(purpose: str, username: str, link: LinkOut) -> NoReturn:
    """Closes the open dialog and shows the link in its place."""
    words = LINK_WORDS[purpose].format(name=text.plain(username))
    _show(
        Shown(
            markdown=f"{words} It counts once, and ends on {day_and_time(link.expires_at)}.",
            secret=link.url,
        )
    )


def _show(shown: Shown) -> NoReturn:
    close_dialog()
    state.shown = shown
    st.rerun()


def _forget() -> None:
    state.shown = None


def draw_shown_once() -> None:
    """The dialog, where there is something to show."""
    if state.shown is not None:
        _draw(state.shown)


@st.dialog("Copy it now", width="medium", on_dismiss=_forget)
def _draw(shown: Shown) -> None:
    st.markdown(shown.markdown)
    st.code(shown.secret, language=None, wrap_lines=True)
    if shown.scope:
        st.caption(
            "Nobody can show it again. Who has it acts as its owner: keep it like a password."
        )
        _draw_use(shown)
    else:
        st.caption("Nobody can show it again. Send it on a way that only this person reads.")
    if st.button("I have copied it", type="primary", key="shown.close"):
        _forget()
        st.rerun()


def _draw_use(shown: Shown) -> None:
    st.markdown("**In a terminal**")
    st.code(curl_line(shown), language="bash", wrap_lines=True)
    if shown.scope != "predict" and not shown.limited:
        st.markdown("**For the mlflow client**")
        st.code(mlflow_lines(shown), language="bash", wrap_lines=True)


def curl_line(shown: Shown) -> str:
    """A line for a terminal that the token is good for."""
    api = dashboard_settings().urls.api.rstrip("/") + BASE
    header = shlex.quote(f"Authorization: Bearer {shown.secret}")
    path = "/models/1/schema" if shown.scope == "predict" else "/fits"
    return f"curl -H {header} {api}{path}"


def mlflow_lines(shown: Shown) -> str:
    """What the mlflow client reads from its environment."""
    uri = shlex.quote(dashboard_settings().urls.mlflow.rstrip("/"))
    return f"export MLFLOW_TRACKING_URI={uri}\nexport MLFLOW_TRACKING_TOKEN={shown.secret}"
