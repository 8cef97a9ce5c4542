"""Deleting an account: what only it owns goes to an heir, or to the trash."""

from typing import Final

import streamlit as st

from backend.accounts.schemas import HoldingOut, UserOut
from frontend import identity, text
from frontend.dialogs import close_dialog, confirmed, done, is_open, open_dialog
from frontend.operations_client import UserQuery
from frontend.widgets import errors_shown

TO_HEIR: Final = "Give it to"
TO_TRASH: Final = "Move it to the trash"
NO_HEIR: Final = "Choose who gets it, or the trash."


def draw_deletion(user: UserOut) -> None:
    """The button and its dialog."""
    name = f"delete.{user.id}"
    if st.button("Delete", key=f"{name}.open"):
        open_dialog(name)
    if is_open(name):
        _draw_dialog(user)


@st.dialog("Delete an account", width="medium", on_dismiss=close_dialog)
def _draw_dialog(user: UserOut) -> None:
    with errors_shown("delete_user"):
        st.markdown(
            f"**{text.plain(user.username)}** can never come back, and nobody gets this user name "
            "again. Sessions, tokens and memberships end. What they made in projects of others "
            "stays there."
        )
        holdings = identity.operations_api().holdings(user.id)
        heir, trash = _draw_choice(user, holdings) if holdings else (None, False)
        if not confirmed("Delete the account", key="delete_user"):
            return
        if holdings and not (heir or trash):
            st.error(NO_HEIR)
        elif done(lambda: _delete(user, heir, trash=trash)):
            close_dialog()
            st.rerun()


def _draw_choice(user: UserOut, holdings: list[HoldingOut]) -> tuple[str | None, bool]:
    """The heir's name, or whether all goes to the trash."""
    st.markdown("Nobody else owns:")
    for holding in holdings:
        st.text(f"{holding.name}: {_content(holding)}")
    way = st.radio("What becomes of it?", (TO_HEIR, TO_TRASH), key="delete_user.way")
    if way == TO_TRASH:
        st.caption("Fits in it that have not ended are cancelled.")
        return None, True
    people = identity.operations_api().users(UserQuery(kind="person", state="active"))
    names = [one.username for one in people if one.id != user.id and one.role.value != "viewer"]
    heir: str | None = st.selectbox(
        "Who gets it", names, index=None, key="delete_user.heir", placeholder="user name"
    )
    return heir, False


def _content(holding: HoldingOut) -> str:
    parts = (
        text.counted(holding.datasets, "dataset"),
        text.counted(holding.fits, "fit"),
        text.counted(holding.models, "model"),
    )
    others = holding.members - 1
    shared = f", shared with {text.counted(others, 'person', 'people')}" if others > 0 else ""
    return ", ".join(parts) + shared


def _delete(user: UserOut, heir: str | None, *, trash: bool) -> str:
    identity.operations_api().delete_user(user.id, heir=heir, trash=trash)
    return f"The account {user.username} is deleted."
