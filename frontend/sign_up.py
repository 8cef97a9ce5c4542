"""The form for an account of one's own, where the settings allow it."""

from typing import Any

import streamlit as st

from backend.accounts.schemas import SignInOptions
from frontend import text, ways_in
from frontend.client import ApiError
from frontend.fields import PASSWORDS_DIFFER, Fields, draw_new_password
from frontend.state import state


def draw_sign_up(options: SignInOptions) -> None:
    """In place of the login form; afterwards one is signed in."""
    domains = options.registration_domains if options.registration == "domains" else []
    fields = Fields()
    with st.form("sign_up_form"):
        st.subheader("Make an account", anchor=False)
        wanted = _draw_fields(fields, domains)
        pressed = st.form_submit_button("Make the account", type="primary")
        if pressed and wanted["password"] is None:
            fields.complain("again", PASSWORDS_DIFFER)
        elif pressed:
            _register(wanted, fields)
    with st.container(horizontal_alignment="center"):
        if st.button("I have an account", type="tertiary", key="sign_up_leave"):
            state.signs_up = False
            st.rerun()


def _draw_fields(fields: Fields, domains: list[str]) -> dict[str, Any]:
    username = st.text_input("User name", autocomplete="username")
    fields.room("username")
    display_name = st.text_input("Display name, if wanted", autocomplete="name")
    fields.room("display_name")
    email = st.text_input("Mail" if domains else "Mail, if wanted", autocomplete="email")
    if domains:
        st.caption(f"At {text.plain(' or '.join(domains))}")
    fields.room("email")
    password = draw_new_password(fields, label="Password", name="password")
    return {
        "username": username.strip(),
        "display_name": display_name.strip(),
        "email": email.strip() or None,
        "password": password,
    }


def _register(wanted: dict[str, Any], fields: Fields) -> None:
    try:
        ways_in.register(wanted)
    except ApiError as error:
        fields.explain(error)
        return
    st.rerun()
