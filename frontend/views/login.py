"""The ways in, drawn in place of whatever page was asked for."""

from typing import Final

import streamlit as st
from streamlit_authenticator.utilities import LoginError

from backend.accounts.schemas import SignInOptions
from frontend import single_sign_on, ways_in
from frontend.fields import FORM_WIDTH
from frontend.identity import GoodfitAuthenticate, was_refused
from frontend.sign_up import draw_sign_up
from frontend.state import state
from frontend.text import plain

WRONG: Final = "Wrong user name or password."
NO_WAY_IN: Final = (
    "Signing in by password is switched off, and no other way is set up. Ask an administrator for "
    "a sign-in link."
)
FIELDS: Final = {
    "Form name": "Sign in",
    "Username": "User name",
    "Password": "Password",
    "Login": "Sign in",
}
WAITING_PAGES: Final = {
    "fit": "fit",
    "dataset": "dataset",
    "model": "model",
    "project": "project",
}


def draw(auth: GoodfitAuthenticate, page_address: str) -> None:
    """The ways in, what went wrong with them, and where they lead."""
    with (
        st.container(horizontal_alignment="center"),
        st.container(width=FORM_WIDTH, key="sign_in"),
    ):
        st.title("Goodfit", anchor=False, text_alignment="center")
        st.caption("A shared lab for model fits", text_alignment="center")
        options = ways_in.options()
        if state.signs_up and may_sign_up(options):
            draw_sign_up(options)
        else:
            _draw_ways(auth, options, page_address)
        destination = _destination(page_address)
        if destination:
            st.caption(destination, text_alignment="center")


def may_sign_up(options: SignInOptions) -> bool:
    """Whether people may make accounts for themselves, which they sign in to by password."""
    return options.password and options.registration != "off"


def _draw_ways(auth: GoodfitAuthenticate, options: SignInOptions, page_address: str) -> None:
    if state.sign_in_notice:
        st.info(state.sign_in_notice)
    if options.provider is not None:
        single_sign_on.draw_refusal(options.provider)
    if options.password:
        _draw_password_form(auth)
    elif options.provider is None:
        st.info(NO_WAY_IN)
    if options.provider is not None:
        single_sign_on.draw_button(options.provider, page_address)
    if may_sign_up(options):
        with st.container(horizontal_alignment="center"):
            if st.button("Make an account", type="tertiary", key="sign_up"):
                state.signs_up, state.sign_in_notice = True, ""
                st.rerun()


def _draw_password_form(auth: GoodfitAuthenticate) -> None:
    refusal = ""
    try:
        auth.login("main", fields=FIELDS, key="login")
    except LoginError as error:
        refusal = str(error)
    if refusal:
        st.error(plain(refusal))
    elif was_refused():
        st.error(WRONG)


def _destination(page_address: str) -> str:
    number = st.query_params.get("id", "")
    if page_address in WAITING_PAGES and number.isdecimal():
        return f"You asked for {WAITING_PAGES[page_address]} {number}; you go there next."
    if st.query_params.get("next") == "mlflow":
        return "You asked for MLflow; the way there is on the next page."
    return ""
