"""Who one is on the platform, and one's password."""

from typing import Final

import streamlit as st

from backend.accounts.schemas import UserOut
from frontend import identity, text, ways_in
from frontend.client import ApiError
from frontend.fields import FORM_WIDTH, NEW_PASSWORD, PASSWORDS_DIFFER, Fields, draw_new_password
from frontend.roles import ROLES
from frontend.state import state

TOKENS_STAY: Final = "API tokens go on working."
SECOND_WAY: Final = "You sign in without a password. Setting one gives you a second way in."
ONLY_WAY: Final = "You came in by a link that counts once. With a password you can sign in again."


def draw_profile() -> None:
    """The tab."""
    user = identity.current_user()
    st.markdown(f"**{text.plain(user.username)}** · since {user.created_at:%-d %B %Y}")
    st.caption(f"Your role is {user.role.value}: {ROLES[user.role.value]}.")
    fields = Fields()
    with st.form("profile", width=FORM_WIDTH):
        display_name = st.text_input(
            "Display name",
            value=user.display_name,
            autocomplete="name",
            help="What others read beside your user name",
        )
        fields.room("display_name")
        email = st.text_input("Mail", value=user.email or "", autocomplete="email")
        if user.email:
            st.caption("Verified." if user.email_verified else "Not verified.")
        fields.room("email")
        if st.form_submit_button("Save", type="primary"):
            _save(display_name.strip(), email.strip() or None, fields)


def _save(display_name: str, email: str | None, fields: Fields) -> None:
    try:
        state.user = identity.accounts_api().update_me(display_name=display_name, email=email)
    except ApiError as error:
        fields.explain(error)
        return
    state.notice = "Your profile is saved."
    st.rerun()


def draw_password() -> None:
    """The tab."""
    user = identity.current_user()
    if not user.has_password:
        st.caption(ONLY_WAY if ways_in.options().provider is None else SECOND_WAY)
    fields = Fields()
    with st.form("password", width=FORM_WIDTH):
        old = _draw_old_password(user, fields)
        new = draw_new_password(fields, label="New password", name=NEW_PASSWORD)
        st.caption(f"Everywhere else you are signed out then. {TOKENS_STAY}")
        label = "Change password" if user.has_password else "Set password"
        if st.form_submit_button(label, type="primary"):
            _change(old, new, fields)


def _draw_old_password(user: UserOut, fields: Fields) -> str | None:
    if not user.has_password:
        return None
    old = st.text_input("Present password", type="password", autocomplete="current-password")
    fields.room("old_password")
    return old


def _change(old: str | None, new: str | None, fields: Fields) -> None:
    if old == "":
        fields.complain("old_password", "Type the present password.")
    elif new is None:
        fields.complain("again", PASSWORDS_DIFFER)
    else:
        try:
            identity.api().change_password(old, new)
        except ApiError as error:
            fields.explain(error)
            return
        identity.refresh_user()
        identity.renew_cookie()
        state.notice = "The password is set. Everywhere else you are signed out."
        st.rerun()
