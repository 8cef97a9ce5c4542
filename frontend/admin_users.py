"""The accounts, and a form for the next one."""

from typing import Any, Final

import streamlit as st

from backend.accounts.schemas import MINIMUM_PASSWORD_LENGTH, UserOut
from frontend import identity, text
from frontend.client import ApiError, Refused, SignedOut
from frontend.state import state
from frontend.widgets import show_error

ROLES: Final = {
    "viewer": "looks at what is shared",
    "member": "uploads, fits and registers",
    "admin": "also runs the platform, and sees everything",
}


def draw_users() -> None:
    """The tab."""
    users = identity.operations_api().users()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input("User", key="user_contains", placeholder="name or mail contains …")
        role = st.selectbox("Role", list(ROLES), index=None, key="user_role", placeholder="any")
    shown = [user for user in users if _matches(user, wanted.strip().lower(), role)]
    st.caption(f"{text.counted(len(shown), 'account')} of {len(users)}")
    if shown:
        st.dataframe(
            [_row(user) for user in shown],
            hide_index=True,
            column_config={"Since": st.column_config.DateColumn(format="D MMM YYYY")},
            alt="Table of accounts",
        )
    else:
        st.info("No account matches these filters.")
    with st.expander("New account"):
        _draw_new_user()


def _matches(user: UserOut, wanted: str, role: str | None) -> bool:
    known = f"{user.username}\n{user.email or ''}".lower()
    return wanted in known and role in (None, user.role.value)


def _row(user: UserOut) -> dict[str, Any]:
    return {
        "No.": user.id,
        "User name": user.username,
        "Role": user.role.value,
        "Mail": user.email or "",
        "Password": "set" if user.has_password else "not set yet",
        "State": "disabled" if user.disabled else "active",
        "Since": user.created_at.date(),
    }


def _draw_new_user() -> None:
    # The number makes a fresh, empty form after each account.
    with st.form(f"new_user.{state.form_round}", border=False, width=420):
        username = st.text_input("User name", autocomplete="off")
        email = st.text_input("Mail, if wanted", autocomplete="off")
        role = st.selectbox(
            "Role",
            list(ROLES),
            index=list(ROLES).index("member"),
            format_func=lambda name: f"{name}: {ROLES[name]}",
        )
        password = st.text_input(
            "First password",
            type="password",
            autocomplete="new-password",
            help=f"At least {MINIMUM_PASSWORD_LENGTH} characters; the person changes it later",
        )
        if st.form_submit_button("Create account", type="primary"):
            _create(username.strip(), email.strip() or None, role, password)


def _create(username: str, email: str | None, role: str, password: str) -> None:
    try:
        user = identity.operations_api().create_user(
            username, email=email, role=role, password=password
        )
    except SignedOut:
        raise
    except ApiError as error:
        show_error(error)
        if isinstance(error, Refused):
            for field, message in error.fields.items():
                st.error(f"{text.plain(field)}: {text.plain(message)}")
        return
    state.form_round += 1
    state.notice = f"The account {user.username} is made. Tell the person the password."
    st.rerun()
