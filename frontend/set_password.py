"""What an invitation or a reset link opens: the first or a new password, and then Home."""

from typing import Final

import streamlit as st

from backend.accounts.schemas import LinkInfo
from frontend import identity, text, ways_in
from frontend.client import ApiError, SignedOut
from frontend.clock import day_and_time
from frontend.fields import FORM_WIDTH, NEW_PASSWORD, PASSWORDS_DIFFER, Fields, draw_new_password
from frontend.state import state

SPENT: Final = (
    "This link was used already, or it has expired. Nothing was changed. If you have set your "
    "password with it, sign in; else ask an administrator for a new link."
)
OFF: Final = "Passwords are not accepted here any more, so this link does nothing. Sign in with"
TITLES: Final = {"invitation": "Welcome to Goodfit", "password_reset": "A new password"}


def draw_set_password() -> None:
    """In place of any page, until the password is set or the link is left."""
    with (
        st.container(horizontal_alignment="center"),
        st.container(width=FORM_WIDTH, key="sign_in"),
    ):
        if not ways_in.options().password:
            _draw_useless(f"{OFF} {text.plain(ways_in.provider_name())}.")
            return
        try:
            info = ways_in.link_info()
        except SignedOut:
            info = None
        if info is None or info.purpose not in TITLES:
            _draw_useless(SPENT)
            return
        _draw_form(info)


def _draw_useless(why: str) -> None:
    st.title("Goodfit", anchor=False, text_alignment="center")
    st.error(why)
    label = "Go on" if identity.is_signed_in() else "To the sign-in"
    if st.button(label, type="primary", key="leave_link"):
        ways_in.forget_link()
        st.rerun()


def _draw_form(info: LinkInfo) -> None:
    st.title(TITLES[info.purpose], anchor=False, text_alignment="center")
    st.markdown(
        f"This link sets the password of **{text.plain(info.username)}**. It counts once, and "
        f"ends on {day_and_time(info.expires_at)}."
    )
    user = state.user
    if user is not None and user.username != info.username:
        st.info(
            f"This browser is signed in as {text.plain(user.username)}. Afterwards it is signed "
            f"in as {text.plain(info.username)}."
        )
    fields = Fields()
    with st.form("password_by_link"):
        password = draw_new_password(fields, label="New password", name=NEW_PASSWORD)
        if not st.form_submit_button("Set the password and sign in", type="primary"):
            return
        if password is None:
            fields.complain("again", PASSWORDS_DIFFER)
            return
        try:
            ways_in.set_password(password)
        except SignedOut:
            st.error(SPENT)
            return
        except ApiError as error:
            fields.explain(error)
            return
    st.rerun()
