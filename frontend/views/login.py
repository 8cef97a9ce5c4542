"""The login form, drawn in place of whatever page was asked for."""

from typing import Final

import streamlit as st
from streamlit_authenticator.utilities import LoginError

from frontend.identity import GoodfitAuthenticate, was_refused
from frontend.state import state
from frontend.text import plain

FORM_WIDTH: Final = 420
WRONG: Final = "Wrong user name or password."
FIELDS: Final = {
    "Form name": "Sign in",
    "Username": "User name",
    "Password": "Password",
    "Login": "Sign in",
}
WAITING_PAGES: Final = {"fit": "fit", "dataset": "dataset", "model": "model"}


def draw(auth: GoodfitAuthenticate, page_address: str) -> None:
    """The form, what went wrong with it, and where it leads."""
    with (
        st.container(horizontal_alignment="center"),
        st.container(width=FORM_WIDTH, key="sign_in"),
    ):
        st.title("Goodfit", anchor=False, text_alignment="center")
        st.caption("A shared lab for model fits", text_alignment="center")
        notice = state.sign_in_notice
        if notice:
            st.info(notice)
        refusal = ""
        try:
            auth.login("main", fields=FIELDS, key="login")
        except LoginError as error:
            refusal = str(error)
        if refusal:
            st.error(plain(refusal))
        elif was_refused():
            st.error(WRONG)
        destination = _destination(page_address)
        if destination:
            st.caption(destination, text_alignment="center")


def _destination(page_address: str) -> str:
    number = st.query_params.get("id", "")
    if page_address in WAITING_PAGES and number.isdecimal():
        return f"You asked for {WAITING_PAGES[page_address]} {number}; you go there next."
    if st.query_params.get("next") == "mlflow":
        return "You asked for MLflow; the way there is on the next page."
    return ""
