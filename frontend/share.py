"""The share dialog: who is let in, what they see then, and the link to send them."""

import uuid
from typing import Final

import streamlit as st

from backend.projects.schemas import ProjectOut
from frontend import identity, permission, text
from frontend.client import ApiError, SignedOut
from frontend.dialogs import close_dialog, confirmed, is_open, open_dialog
from frontend.moving import Movable, targets, who_sees
from frontend.permission import Access
from frontend.projects_client import ProjectRoleName
from frontend.settings import dashboard_settings
from frontend.state import Shared, state
from frontend.widgets import errors_shown, show_problems

LONGEST_NAME: Final = 200
WHOLE: Final = "The whole project"
ROLES: Final[dict[ProjectRoleName, str]] = {
    "viewer": "viewer: reads, downloads, asks for predictions",
    "editor": "editor: also uploads, runs, changes",
    "owner": "owner: also shares, moves, deletes",
}
NEW: Final = 0
"""Stands for a new project among the numbers of those that exist."""


def draw_share(access: Access, item: Movable | None) -> None:
    """The button and its dialog; without an item it is about the project itself."""
    about = f"project.{access.project.id}" if item is None else f"{item.kind}.{item.number}"
    label = "Add a member" if item is None else "Share"
    if st.button(label, key="share", type="primary" if item is None else "secondary"):
        state.shared = None
        open_dialog(f"share.{about}")
    if is_open(f"share.{about}"):
        _share(access, item)


def _close() -> None:
    state.shared = None
    close_dialog()


@st.dialog("Share", width="medium", on_dismiss=_close)
def _share(access: Access, item: Movable | None) -> None:
    with errors_shown("share"):
        if state.shared is not None:
            _draw_done(state.shared)
        elif access.may_govern:
            _draw_form(access, item)
        else:
            _draw_whom_to_ask(access)


def _draw_whom_to_ask(access: Access) -> None:
    project = access.project
    name = f"**{text.plain(project.name)}**"
    owners = permission.owner_names(project.id)
    st.markdown(
        f"It is in {name}, owned by {owners}. Only an owner shares: ask {owners} to add whom you "
        "have in mind, by user name."
    )


def _draw_form(access: Access, item: Movable | None) -> None:
    project = access.project
    alone = "" if item is None else f"Only this {item.kind}"
    choice = WHOLE
    if item is not None and access.may_move and not item.why_fixed:
        choice = st.segmented_control(
            "What", [WHOLE, alone], default=WHOLE, required=True, key="share.what"
        )
    target: ProjectOut | None = project
    new_name = ""
    if item is None or choice == WHOLE:
        st.markdown(_whole_sentence(project))
        if item is not None and access.may_move and item.why_fixed:
            st.caption(item.why_fixed)
    else:
        st.markdown(
            f"People share projects, so this {item.kind} goes into another one. {item.along}"
        )
        target, new_name = _draw_target(access)
    left, right = st.columns([1, 1])
    username = left.text_input(
        "User name", key="share.username", placeholder="as they sign in"
    ).strip()
    roles = [role for role in ROLES if role != "owner" or not (target and target.personal)]
    role = right.selectbox("May", roles, format_func=lambda key: ROLES[key], key="share.role")
    if not confirmed("Share", key="share"):
        return
    if not username:
        st.error("Say with whom: type the user name.")
    elif target is None and not new_name:
        st.error("The new project needs a name.")
    else:
        moved = None if choice == WHOLE else item
        path = f"/project?id={project.id}" if item is None else item.path
        _share_with(username, role, target, new_name, moved, path)


def _whole_sentence(project: ProjectOut) -> str:
    """As Markdown: what a new member sees."""
    inside = text.contents(project.datasets, project.fits, project.models)
    held = f"it holds {inside} now" if inside else "it is empty yet"
    return (
        f"**{text.plain(project.name)}** is shared as a whole, with what comes later and in MLflow "
        f"too: {held}."
    )


def _draw_target(access: Access) -> tuple[ProjectOut | None, str]:
    """The project that it moves into; None for a new one, with its name."""
    known = {project.id: project for project in targets(access) if not project.personal}
    number = NEW
    if known:
        number = st.selectbox(
            "Into",
            [*known, NEW],
            format_func=lambda number: known[number].name if number else "A new project",
            key="share.into",
        )
    if number != NEW:
        st.caption(who_sees(known[number]))
        return known[number], ""
    name = st.text_input("Name of the new project", key="share.project", max_chars=LONGEST_NAME)
    return None, name.strip()


def _share_with(
    username: str,
    role: ProjectRoleName,
    target: ProjectOut | None,
    new_name: str,
    moved: Movable | None,
    path: str,
) -> None:
    """Each step can be repeated, so the same press again goes on where this one was cut off."""
    api = identity.projects_api()
    try:
        if target is None:
            state.make_key = state.make_key or uuid.uuid4().hex
            key = uuid.uuid5(uuid.UUID(state.make_key), new_name).hex
            target = api.create_project(new_name, key=key)
        known = {member.username: member.role.value for member in api.members(target.id)}
        if username in known and known[username] != role:
            st.error(
                f"{text.plain(username)} is a member of {text.plain(target.name)} already, as "
                f"{known[username]}. The role is changed on the project's page."
            )
            return
        if username not in known:
            api.set_member(target.id, username, role)
        if moved is not None:
            api.move(moved.kind, moved.number, target.id)
    except SignedOut:
        raise
    except ApiError as error:
        show_problems(error)
        if moved is not None:
            st.caption(f"The {moved.kind} is where it was. Correct it, or press Share again.")
        return
    state.make_key = ""
    state.shared = Shared(username, role, target.name, path)
    st.rerun()


def _draw_done(shared: Shared) -> None:
    name = text.plain(shared.username)
    st.success(f"{name} is {text.article(shared.role)} of {text.plain(shared.project)} now.")
    st.markdown("Send this link; it asks for a sign-in first.")
    st.code(dashboard_settings().urls.dashboard.rstrip("/") + shared.path, language=None)
    if st.button("Done", type="primary", key="share.done"):
        _close()
        st.rerun()
