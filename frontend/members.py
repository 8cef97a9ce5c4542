"""Who is in a project: roles, new members, leaving, another owner."""

from functools import partial
from typing import Final

import streamlit as st

from backend.projects.schemas import MemberOut, ProjectOut
from frontend import identity, permission, text
from frontend.dialogs import close_dialog, confirmed, done, finish, is_open, open_dialog
from frontend.permission import Access
from frontend.projects_client import ProjectRoleName
from frontend.share import draw_share
from frontend.state import state
from frontend.widgets import errors_shown

ROLES: Final[tuple[ProjectRoleName, ...]] = ("viewer", "editor", "owner")
# More would make the page slow; the table shows all.
MOST_WITH_BUTTONS: Final = 50


def draw_members(access: Access) -> None:
    """The tab."""
    project = access.project
    members = identity.projects_api().members(project.id)
    if not access.may_govern:
        draw_member_table(members)
        st.caption(f"Members are let in by {permission.owner_names(project.id)}.")
    else:
        draw_share(access, None)
        for member in members[:MOST_WITH_BUTTONS]:
            _draw_member(project, member)
        if len(members) > MOST_WITH_BUTTONS:
            draw_member_table(members[MOST_WITH_BUTTONS:])
    _draw_ways_out(access, members)


def draw_member_table(members: list[MemberOut]) -> None:
    """Who they are, to look at."""
    rows = [
        {
            "User": member.username,
            "Name": member.display_name,
            "Role": member.role.value,
            "Since": text.ago(member.since),
            "Signs in": "no, disabled" if member.disabled else "yes",
        }
        for member in members
    ]
    st.dataframe(rows, hide_index=True, alt="The members of this project and their roles")


def _draw_member(project: ProjectOut, member: MemberOut) -> None:
    name = text.plain(member.username)
    is_me = member.username == identity.current_user().username
    with st.container(
        border=True,
        horizontal=True,
        vertical_alignment="center",
        key=f"member_{project.id}_{_slug(member)}",
    ):
        shown = f"**{name}**" + (
            f" · {text.plain(member.display_name)}" * bool(member.display_name)
        )
        st.markdown(shown + (" · you" if is_me else ""))
        disabled = " · cannot sign in, disabled" if member.disabled else ""
        st.caption(f"since {text.ago(member.since)}{disabled}")
        # Nobody steps down by a slip of the hand; giving it away is a button below.
        is_fixed = is_me or (project.personal and member.username == project.created_by)
        if is_fixed:
            st.badge(member.role.value, color="gray")
        else:
            _draw_role(project, member)
        if not is_fixed and st.button("Remove", key=f"remove.{project.id}.{_slug(member)}"):
            open_dialog(f"remove.{project.id}.{member.username}")
    if is_open(f"remove.{project.id}.{member.username}"):
        _confirm_remove(project, member)


def _draw_role(project: ProjectOut, member: MemberOut) -> None:
    now, project_id = member.role.value, project.id
    roles = ROLES[:-1] if project.personal else ROLES
    role: ProjectRoleName = st.selectbox(
        f"Role of {text.plain(member.username)}",
        roles,
        index=roles.index(now),
        key=f"role.{project_id}.{_slug(member)}.{now}.{state.form_round}",
        label_visibility="collapsed",
        width=130,
    )
    if role == now:
        return
    changed = done(partial(_set_role, project_id, member.username, role))
    # A fresh box either way: after a refusal the old one would ask for the same again and again.
    state.form_round += 1
    if changed:
        st.rerun()


def _slug(member: MemberOut) -> str:
    """For a widget's key, which becomes a name in the page's style."""
    return member.username.encode().hex()


def _set_role(project_id: int, username: str, role: ProjectRoleName) -> str:
    identity.projects_api().set_member(project_id, username, role)
    return f"{username} is {text.article(role)} now."


@st.dialog("Remove", on_dismiss=close_dialog)
def _confirm_remove(project: ProjectOut, member: MemberOut) -> None:
    with errors_shown("remove_member"):
        st.markdown(
            f"**{text.plain(member.username)}** sees nothing of **{text.plain(project.name)}** "
            "from the next request on, and nothing of it in MLflow after a few seconds. What "
            "they made stays in the project."
        )
        if confirmed("Remove", key="remove_member_now"):
            finish(partial(_remove, project.id, member.username))


def _remove(project_id: int, username: str) -> str:
    identity.projects_api().remove_member(project_id, username)
    return f"{username} is no longer a member."


def _draw_ways_out(access: Access, members: list[MemberOut]) -> None:
    """Leaving it, and giving it to somebody else."""
    project = access.project
    if project.personal:
        return
    leave, transfer = f"leave.{project.id}", f"transfer.{project.id}"
    me = identity.current_user().username
    is_only_owner = _is_only_owner(members, me)
    may_leave = project.my_role is not None and not is_only_owner
    with st.container(horizontal=True, key="member_actions"):
        if may_leave and st.button("Leave this project", key="leave"):
            open_dialog(leave)
        if access.may_govern and st.button("Give it to somebody", key="transfer"):
            open_dialog(transfer)
    if is_only_owner:
        first = "Give it" if access.may_govern else "Ask an administrator to give it"
        st.caption(f"You cannot leave: nobody else owns this project. {first} to somebody first.")
    if is_open(leave):
        _confirm_leave(project, me)
    if is_open(transfer):
        _confirm_transfer(project, [member.username for member in members if member.username != me])


def _is_only_owner(members: list[MemberOut], me: str) -> bool:
    """Whether nobody but me owns it who can sign in."""
    owners = {one.username: one for one in members if one.role.value == "owner"}
    return me in owners and all(one.disabled for name, one in owners.items() if name != me)


@st.dialog("Leave", on_dismiss=close_dialog)
def _confirm_leave(project: ProjectOut, me: str) -> None:
    with errors_shown("leave"):
        st.markdown(
            f"You see nothing of **{text.plain(project.name)}** any more. What you made stays in "
            "it. An owner can let you in again."
        )
        if confirmed("Leave", key="leave_now"):
            state.selected_project = None
            finish(partial(_leave, project, me))


def _leave(project: ProjectOut, me: str) -> str:
    identity.projects_api().remove_member(project.id, me)
    return f"You have left {project.name}."


@st.dialog("Give it to somebody", on_dismiss=close_dialog)
def _confirm_transfer(project: ProjectOut, others: list[str]) -> None:
    with errors_shown("transfer"):
        st.markdown(
            f"They own **{text.plain(project.name)}** from now on; you become an editor of it."
        )
        username = st.selectbox(
            "New owner",
            others,
            index=None,
            accept_new_options=True,
            placeholder="choose a member, or type a user name",
            key=f"transfer.{project.id}.username",
        )
        if not confirmed("Give it away", key="transfer_now"):
            return
        if not username:
            st.error("Say who is to own it.")
            return
        finish(partial(_transfer, project, username.strip()))


def _transfer(project: ProjectOut, username: str) -> str:
    identity.projects_api().transfer(project.id, username)
    return f"{username} owns this project now; you are an editor of it."
