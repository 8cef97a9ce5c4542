"""Accounts for programs: tokens, and no password."""

from functools import partial
from typing import Final

import streamlit as st

from backend.accounts.schemas import UserOut
from frontend import identity, text
from frontend.admin_user import draw_user, state_word
from frontend.client import ApiError
from frontend.dialogs import close_dialog, is_open, open_dialog
from frontend.fields import Fields
from frontend.operations_client import UserQuery
from frontend.roles import ROLES, role_in_words
from frontend.state import state
from frontend.tables import clickable_table
from frontend.token_list import TokenActions, draw_token_list
from frontend.widgets import errors_shown

NEW_SERVICE: Final = "new_service_account"


def draw_service_accounts() -> None:
    """The tab."""
    st.caption(
        "For jobs and programs that belong to no person. One sees what it made itself, and the "
        "projects that it is a member of."
    )
    users = identity.operations_api().users(UserQuery(kind="service"))
    accounts = {user.id: user for user in users}
    with st.container(horizontal=True, vertical_alignment="center"):
        # Below it stands the one that makes a token for the chosen account.
        if st.button("New service account", key=NEW_SERVICE):
            open_dialog(NEW_SERVICE)
        found = text.counted(len(accounts), "service account")
        st.caption(found if accounts else "No service accounts.")
    if is_open(NEW_SERVICE):
        _draw_new()
    if accounts:
        _draw_account(_draw_table(accounts))


def _draw_table(accounts: dict[int, UserOut]) -> UserOut:
    state.selected_user = clickable_table(
        [
            {
                "No.": user.id,
                "User name": user.username,
                "Display name": user.display_name,
                "Role": user.role.value,
                "State": state_word(user),
                "Since": user.created_at.date(),
            }
            for user in accounts.values()
        ],
        ids=list(accounts),
        selected=state.selected_user,
        key="service_accounts",
        columns={"Since": st.column_config.DateColumn(format="D MMM YYYY")},
        alt="Table of service accounts; the parts below act on the chosen one",
    )
    default = state.selected_user or next(iter(accounts))
    number = st.selectbox(
        "Service account",
        list(accounts),
        index=list(accounts).index(default),
        format_func=lambda one: accounts[one].username if one in accounts else str(one),
        key=f"service_number.{default}",
        width=260,
    )
    return accounts[number]


def _draw_account(user: UserOut) -> None:
    api = identity.operations_api()
    st.subheader("Tokens", anchor=False)
    actions = TokenActions(
        owner=user.username,
        create=partial(api.create_service_token, user.id),
        revoke=partial(api.revoke_service_token, user.id),
    )
    draw_token_list(api.service_tokens(user.id), actions, key=f"service.{user.id}")
    draw_user(user)


@st.dialog("New service account", on_dismiss=close_dialog)
def _draw_new() -> None:
    with errors_shown(NEW_SERVICE):
        fields = Fields()
        with st.form("new_service_form", border=False):
            username = st.text_input("User name", placeholder="nightly-etl", autocomplete="off")
            fields.room("username")
            display_name = st.text_input("What it is for", autocomplete="off")
            fields.room("display_name")
            role = st.selectbox(
                "Role", list(ROLES), index=list(ROLES).index("member"), format_func=role_in_words
            )
            fields.room("role")
            if st.form_submit_button("Create the account", type="primary"):
                _create(username.strip(), display_name.strip(), role, fields)


def _create(username: str, display_name: str, role: str, fields: Fields) -> None:
    try:
        user = identity.operations_api().create_service_account(
            username, display_name=display_name, role=role
        )
    except ApiError as error:
        fields.explain(error)
        return
    state.selected_user = user.id
    state.notice = f"The service account {user.username} is made. Now make its first token."
    close_dialog()
    st.rerun()
