"""API tokens of one account: a table, a form for the next one, and the way to revoke one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.accounts.schemas import ApiTokenCreated, ApiTokenOut
from frontend import permission, text
from frontend.accounts_client import NewToken
from frontend.client import ApiError
from frontend.dialogs import ask, close_dialog, is_open, open_dialog
from frontend.fields import Fields
from frontend.roles import SCOPES, scope_in_words
from frontend.shown_once import draw_shown_once, show_token
from frontend.state import state
from frontend.tables import clickable_table, table_time
from frontend.widgets import errors_shown

LIFETIMES: Final[dict[str, int | None]] = {
    "7 days": 7,
    "30 days": 30,
    "90 days": 90,
    "365 days": 365,
    "never": None,
}
USUAL_LIFETIME: Final = "90 days"
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=180),
    "Created": st.column_config.DatetimeColumn(format="distance"),
    "Expires": st.column_config.DatetimeColumn(format="distance"),
    "Last use": st.column_config.DatetimeColumn(format="distance"),
}


@dataclass(frozen=True)
class TokenActions:
    """Whose tokens they are, and how one is made and revoked."""

    owner: str
    """The account's name; empty for oneself."""
    create: Callable[[NewToken], ApiTokenCreated]
    revoke: Callable[[int], None]


def draw_token_list(tokens: Sequence[ApiTokenOut], actions: TokenActions, *, key: str) -> None:
    """All of it; `key` tells two lists apart."""
    making = f"{key}.new"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("New token", type="primary", key=making):
            open_dialog(making)
        st.caption(text.counted(len(tokens), "token") if tokens else "No tokens.")
    if is_open(making):
        _draw_new_token(actions)
    draw_shown_once()
    if tokens:
        _draw_table({token.id: token for token in tokens}, actions, key=key)


def _draw_table(tokens: dict[int, ApiTokenOut], actions: TokenActions, *, key: str) -> None:
    projects = permission.project_names()
    state.selected_token = clickable_table(
        [_row(token, projects) for token in tokens.values()],
        ids=list(tokens),
        selected=state.selected_token,
        key=key,
        columns=COLUMNS,
        alt="Table of tokens; the button below revokes the chosen number",
        placeholder="never",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_token or next(iter(tokens))
        number = st.selectbox(
            "Token no.",
            list(tokens),
            index=list(tokens).index(default),
            key=f"{key}.number.{default}",
            width=120,
        )
        revoking = f"{key}.revoke.{number}"
        if st.button("Revoke", key=f"{key}.revoke"):
            open_dialog(revoking)
    token = tokens[number]
    ask(
        revoking,
        title="Revoke a token",
        markdown=f"Programs with **{text.plain(token.name)}** are refused from now on. "
        "This cannot be undone; a new token takes its place.",
        label="Revoke it",
        act=partial(_revoke, token, actions),
    )


def _row(token: ApiTokenOut, projects: dict[int, str]) -> dict[str, Any]:
    limited = token.project_id
    return {
        "No.": token.id,
        "Name": token.name,
        "Token": token.hint,
        "Scope": token.scope.value,
        "Project": "all" if limited is None else projects.get(limited, f"project {limited}"),
        "Created": table_time(token.created_at),
        "Expires": table_time(token.expires_at),
        "Last use": table_time(token.last_used_at),
        "From": token.last_address or "",
    }


def _revoke(token: ApiTokenOut, actions: TokenActions) -> str:
    actions.revoke(token.id)
    state.selected_token = None
    return f"The token {token.name} is revoked."


@st.dialog("New token", on_dismiss=close_dialog)
def _draw_new_token(actions: TokenActions) -> None:
    with errors_shown("new_token"):
        if actions.owner:
            st.markdown(f"For **{text.plain(actions.owner)}**.")
        fields = Fields()
        with st.form("new_token", border=False):
            wanted = _draw_fields(fields, is_own=not actions.owner)
            pressed = st.form_submit_button("Make the token", type="primary")
            if pressed and not wanted.name:
                fields.complain("name", "Give it a name by which you know it again.")
            elif pressed:
                _create(wanted, actions, fields)


def _draw_fields(fields: Fields, *, is_own: bool) -> NewToken:
    name = st.text_input("Name", placeholder="nightly job on my laptop", autocomplete="off")
    fields.room("name")
    scope = st.selectbox(
        "It may", list(SCOPES), index=list(SCOPES).index("read"), format_func=scope_in_words
    )
    fields.room("scope")
    project_id = _draw_project(is_own=is_own)
    fields.room("project_id")
    lifetime = st.selectbox(
        "It ends after", list(LIFETIMES), index=list(LIFETIMES).index(USUAL_LIFETIME)
    )
    fields.room("expires_at")
    days = LIFETIMES[lifetime]
    ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
    return NewToken(name.strip(), scope, project_id, ends)


def _draw_project(*, is_own: bool) -> int | None:
    found = permission.all_projects()
    # Administrators see more projects than they are members of.
    projects = {one.id: one.name for one in found if one.my_role is not None or not is_own}
    chosen: int | None = st.selectbox(
        "It reaches",
        list(projects),
        index=None,
        format_func=lambda number: projects.get(number, str(number)),
        placeholder="all projects of the account",
        help="With one chosen, everything else does not exist for it, and MLflow is closed to it.",
    )
    return chosen


def _create(wanted: NewToken, actions: TokenActions, fields: Fields) -> None:
    try:
        token = actions.create(wanted)
    except ApiError as error:
        fields.explain(error)
        return
    show_token(token)
