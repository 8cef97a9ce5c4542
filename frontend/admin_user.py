"""One account as administrators govern it: change, disable, invite, reset, delete."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.accounts.schemas import UserOut
from frontend import identity, text, ways_in
from frontend.admin_deletion import draw_deletion
from frontend.client import ApiError
from frontend.clock import day_and_time
from frontend.dialogs import ask, open_dialog
from frontend.fields import Fields
from frontend.operations_client import UserQuery
from frontend.roles import ROLES, role_in_words
from frontend.shown_once import show_link
from frontend.state import state

OWN_ROW: Final = (
    "This is you: another administrator changes your role, disables or deletes you. The rest is on "
    "the Account page."
)
LAST_ADMIN: Final = (
    "This is the only administrator who can sign in, so the account keeps its role and stays. Make "
    "somebody else an administrator first."
)


def state_word(user: UserOut) -> str:
    """The state as the filter has it; of the active ones also whether nobody can sign in to it."""
    if user.disabled:
        return "disabled"
    if user.invited_until is not None:
        return "invited"
    # Whether the provider knows somebody is found out when they come.
    has_way_in = user.kind == "service" or user.has_password or ways_in.options().provider
    return "active" if has_way_in else "not set up"


def draw_user(user: UserOut) -> None:
    """The panel."""
    kept = _why_kept(user)
    with st.container(border=True, key="user_panel"):
        st.subheader(text.plain(user.username), anchor=False)
        st.caption(_facts(user))
        if kept:
            st.caption(kept)
        _draw_form(user, may_change_role=not kept)
        with st.container(horizontal=True, key="user_actions"):
            if user.kind == "person" and not user.disabled:
                _draw_links(user)
            if not kept:
                _draw_state(user)
                draw_deletion(user)


def _facts(user: UserOut) -> str:
    """As Markdown."""
    parts = [state_word(user), f"since {user.created_at:%-d %B %Y}"]
    if user.invited_until is not None:
        parts.append(f"the invitation ends on {day_and_time(user.invited_until)}")
    if user.kind == "service":
        parts.append("a service account: it works with tokens alone")
    elif not ways_in.options().password:
        parts.append(f"signs in with {text.plain(ways_in.provider_name())}")
    else:
        parts.append("has a password" if user.has_password else "has no password")
    return " · ".join(parts)


def _why_kept(user: UserOut) -> str:
    """Why the account can neither lose its role nor go; empty where it can."""
    if user.id == identity.current_user().id:
        return OWN_ROW
    if user.role.value != "admin" or user.disabled or user.kind != "person":
        return ""
    query = UserQuery(role="admin", kind="person", state="active")
    others = [one for one in identity.operations_api().users(query) if one.id != user.id]
    return "" if others else LAST_ADMIN


def _draw_form(user: UserOut, *, may_change_role: bool) -> None:
    fields = Fields()
    # The number makes a fresh form after each change.
    key = f"user.{user.id}.{state.form_round}"
    with st.form(key, border=False):
        left, middle, right = st.columns([3, 3, 4])
        with left:
            display_name = st.text_input(
                "Display name",
                value=user.display_name,
                key=f"{key}.display_name",
                autocomplete="off",
            )
            fields.room("display_name")
        changes: dict[str, Any] = {"display_name": display_name.strip()}
        with middle:
            if user.kind == "person":
                changes["email"] = _draw_mail(user, fields, key=key)
        with right:
            if may_change_role:
                changes["role"] = _draw_role(user, fields, key=key)
        if st.form_submit_button("Save", type="primary"):
            _save(user, changes, fields)


def _draw_mail(user: UserOut, fields: Fields, *, key: str) -> str | None:
    email = st.text_input("Mail", value=user.email or "", key=f"{key}.email", autocomplete="off")
    fields.room("email")
    return email.strip() or None


def _draw_role(user: UserOut, fields: Fields, *, key: str) -> str:
    role = st.selectbox(
        "Role",
        list(ROLES),
        index=list(ROLES).index(user.role.value),
        format_func=role_in_words,
        key=f"{key}.role",
    )
    fields.room("role")
    return role


def _save(user: UserOut, changes: dict[str, Any], fields: Fields) -> None:
    before = {"display_name": user.display_name, "email": user.email, "role": user.role.value}
    changed = {name: value for name, value in changes.items() if value != before[name]}
    if changed:
        try:
            identity.operations_api().update_user(user.id, **changed)
        except ApiError as error:
            fields.explain(error)
            return
        if user.id == identity.current_user().id:
            identity.refresh_user()
    state.form_round += 1
    state.notice = f"{user.username} is saved." if changed else "Nothing was changed."
    st.rerun()


def _draw_links(user: UserOut) -> None:
    if user.id == identity.current_user().id:
        return
    if ways_in.options().password:
        _draw_password_link(user)
    if user.invited_until is not None:
        _draw_action(
            f"withdraw.{user.id}",
            label="Withdraw the invitation",
            title="Withdraw an invitation",
            markdown=f"The link that **{text.plain(user.username)}** got counts no longer. The "
            "account stays.",
            confirm="Withdraw it",
            act=partial(_withdraw, user),
        )


def _draw_password_link(user: UserOut) -> None:
    """By which they choose a password."""
    if user.has_password:
        _draw_action(
            f"reset.{user.id}",
            label="Password reset link",
            title="Reset a password",
            markdown=f"The password of **{text.plain(user.username)}** and all their sessions end "
            "at once. You get a link to send, by which they choose a new one. Tokens go on.",
            confirm="Make the link",
            act=partial(_reset, user),
        )
    elif st.button("New invitation link", key=f"invite.{user.id}"):
        show_link("invitation", user.username, identity.operations_api().invite(user.id))


def _draw_action(
    name: str, *, label: str, title: str, markdown: str, confirm: str, act: Callable[[], str]
) -> None:
    """A button whose press asks first."""
    if st.button(label, key=f"{name}.open"):
        open_dialog(name)
    ask(name, title=title, markdown=markdown, label=confirm, act=act)


def _reset(user: UserOut) -> str:
    show_link("reset", user.username, identity.operations_api().reset_password(user.id))


def _withdraw(user: UserOut) -> str:
    identity.operations_api().withdraw_invitation(user.id)
    return f"The invitation of {user.username} is withdrawn."


def _draw_state(user: UserOut) -> None:
    if user.disabled:
        if st.button("Enable", key=f"enable.{user.id}"):
            identity.operations_api().update_user(user.id, disabled=False)
            state.notice = f"{user.username} may come in again."
            st.rerun()
        return
    _draw_action(
        f"disable.{user.id}",
        label="Disable",
        title="Disable an account",
        markdown=f"**{text.plain(user.username)}** is signed out at once and can neither sign in "
        "nor use a token. Nothing is deleted, and fits that run go on to their end. Enabling "
        "brings all of it back.",
        confirm="Disable it",
        act=partial(_disable, user),
    )


def _disable(user: UserOut) -> str:
    identity.operations_api().update_user(user.id, disabled=True)
    return f"{user.username} is disabled."
