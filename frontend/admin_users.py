"""The accounts, a form for the next one, and a panel for the chosen one."""

from typing import Any, Final

import streamlit as st

from backend.accounts.schemas import UserCreated, UserOut
from frontend import identity, text, ways_in
from frontend.address import in_address
from frontend.admin_user import draw_user, state_word
from frontend.client import ApiError
from frontend.dialogs import close_dialog, is_open, open_dialog
from frontend.fields import PASSWORD_HINT, Fields
from frontend.operations_client import UserQuery
from frontend.roles import ROLES, role_in_words
from frontend.shown_once import draw_shown_once, show_link
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown

KINDS: Final = {"person": "people", "service": "service accounts"}
STATES: Final = ("active", "invited", "disabled")
NEW_ACCOUNT: Final = "new_account"
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "User name": st.column_config.TextColumn(width=160),
    "Since": st.column_config.DateColumn(format="D MMM YYYY"),
}


def draw_users() -> None:
    """The tab."""
    draw_shown_once()
    query = _draw_filters()
    users = {user.id: user for user in identity.operations_api().users(query)}
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("New account", type="primary", key=NEW_ACCOUNT):
            open_dialog(NEW_ACCOUNT)
        st.caption(text.counted(len(users), "account"))
    if is_open(NEW_ACCOUNT):
        _draw_new_account()
    if not users:
        st.info("No account matches these filters.")
        return
    chosen = _draw_table(users)
    if chosen is not None:
        draw_user(chosen)


def _draw_filters() -> UserQuery:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "User", placeholder="name contains …", **in_address("user_contains", usual="")
        )
        role = st.selectbox(
            "Role",
            list(ROLES),
            index=None,
            placeholder="any",
            **in_address("user_role", ROLES),
        )
        kind = st.selectbox(
            "Kind",
            list(KINDS),
            index=None,
            format_func=lambda one: KINDS[one],
            placeholder="any",
            **in_address("user_kind", KINDS),
        )
        found = st.selectbox(
            "State",
            STATES,
            index=None,
            placeholder="any",
            **in_address("user_state", STATES),
        )
    return UserQuery(name_contains=name.strip() or None, role=role, kind=kind, state=found)


def _draw_table(users: dict[int, UserOut]) -> UserOut | None:
    """The chosen account; none at first, for the panel disables and deletes."""
    state.selected_user = clickable_table(
        [_row(user) for user in users.values()],
        ids=list(users),
        selected=state.selected_user,
        key="users",
        columns=COLUMNS,
        alt="Table of accounts; the panel below acts on the chosen one",
    )
    default = state.selected_user
    number = st.selectbox(
        "Account",
        list(users),
        index=None if default is None else list(users).index(default),
        placeholder="choose one to change it",
        format_func=lambda one: users[one].username if one in users else str(one),
        key=f"user_number.{default}",
        width=260,
    )
    return None if number is None else users[number]


def _row(user: UserOut) -> dict[str, Any]:
    return {
        "No.": user.id,
        "User name": user.username,
        "Display name": user.display_name,
        "Role": user.role.value,
        "Kind": user.kind,
        "State": state_word(user),
        "Mail": user.email or "",
        "Since": user.created_at.date(),
    }


@st.dialog("New account", on_dismiss=close_dialog)
def _draw_new_account() -> None:
    with errors_shown(NEW_ACCOUNT):
        fields = Fields()
        with st.form("new_account_form", border=False):
            username = st.text_input("User name", autocomplete="off")
            fields.room("username")
            display_name = st.text_input("Display name, if wanted", autocomplete="off")
            fields.room("display_name")
            by_password = ways_in.options().password
            email = st.text_input("Mail, if wanted" if by_password else "Mail", autocomplete="off")
            fields.room("email")
            role = st.selectbox(
                "Role", list(ROLES), index=list(ROLES).index("member"), format_func=role_in_words
            )
            fields.room("role")
            password = _draw_password(fields) if by_password else ""
            if not by_password:
                st.caption(
                    f"The person signs in with {text.plain(ways_in.provider_name())}. The mail "
                    "address there links the two: give the same one here."
                )
            if st.form_submit_button("Create account", type="primary"):
                wanted = {
                    "display_name": display_name.strip(),
                    "email": email.strip() or None,
                    "role": role,
                    "password": password or None,
                }
                _create(username.strip(), wanted, fields)


def _draw_password(fields: Fields) -> str:
    password = st.text_input(
        "First password, if no link is wanted",
        type="password",
        autocomplete="new-password",
        help=f"Left empty, you get a link to send: the person chooses one. {PASSWORD_HINT}",
    )
    fields.room("password")
    return password


def _way_in(user: UserCreated) -> str:
    """How the person comes in."""
    if user.invitation is not None:
        return "Send the person the link."
    if user.has_password:
        return "Tell the person the password."
    provider = ways_in.provider_name()
    if user.email:
        return f"The person signs in with {provider}, where they must have the same mail."
    return f"Give it the mail that the person has at {provider}, so that they can sign in."


def _create(username: str, wanted: dict[str, Any], fields: Fields) -> None:
    try:
        user = identity.operations_api().create_user(username, **wanted)
    except ApiError as error:
        fields.explain(error)
        return
    state.selected_user = user.id
    state.notice = f"The account {user.username} is made. {_way_in(user)}"
    if user.invitation is not None:
        show_link("invitation", user.username, user.invitation)
    close_dialog()
    st.rerun()
