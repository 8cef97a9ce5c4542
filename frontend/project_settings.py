"""Name, archive and end of a project."""

from functools import partial
from typing import Any, Final

import streamlit as st

from backend.projects.schemas import ProjectOut
from frontend import identity, permission, text
from frontend.dialogs import close_dialog, confirmed, done, finish, is_open, open_dialog
from frontend.permission import Access
from frontend.state import state
from frontend.widgets import errors_shown

LONGEST_NAME: Final = 200
LONGEST_DESCRIPTION: Final = 5_000


def draw_settings(access: Access) -> None:
    """The tab."""
    project = access.project
    if not access.may_govern:
        st.caption(f"Its owner changes these: {permission.owner_names(project.id)}.")
        return
    if not project.archived:
        _draw_form(project)
    if project.personal:
        st.caption(
            "This is a personal project: everybody has one, and it ends with its account. It "
            "cannot be archived, deleted or given away."
        )
        return
    _draw_archive(project)
    _draw_delete(project)


def _draw_form(project: ProjectOut) -> None:
    with st.form(f"project.{project.id}.{state.form_round}", border=True):
        name = st.text_input("Name", value=project.name, max_chars=LONGEST_NAME)
        description = st.text_area(
            "Description", value=project.description, max_chars=LONGEST_DESCRIPTION
        )
        if not st.form_submit_button("Save", type="primary"):
            return
        if not name.strip():
            st.error("A project needs a name.")
            return
        # Only what differs: what somebody else changed meanwhile stays.
        known = {"name": project.name, "description": project.description}
        typed = {"name": name.strip(), "description": description.strip()}
        changes = {field: value for field, value in typed.items() if value != known[field]}
        if not changes or done(partial(_change, project.id, changes, "Saved.")):
            st.rerun()


def _change(project_id: int, changes: dict[str, Any], notice: str) -> str:
    identity.projects_api().change_project(project_id, changes)
    return notice


def _draw_archive(project: ProjectOut) -> None:
    with st.container(border=True, key="project_archive"):
        if project.archived:
            st.markdown("**Archived.** Everything in it can be read and asked for predictions.")
            if st.button("Take out of the archive", type="primary", key="unarchive"):
                act = partial(_change, project.id, {"archived": False}, "It is in use again.")
                if done(act):
                    st.rerun()
            return
        st.markdown(
            "**Archive.** Everything stays readable and models go on answering; nothing can be "
            "added or changed until it is taken out of the archive again."
        )
        if st.button("Archive", key="archive"):
            open_dialog(f"archive.{project.id}")
        if is_open(f"archive.{project.id}"):
            _confirm_archive(project)


@st.dialog("Archive", on_dismiss=close_dialog)
def _confirm_archive(project: ProjectOut) -> None:
    with errors_shown("archive"):
        st.markdown(
            f"**{text.plain(project.name)}** becomes read-only{_for_whom(project)}; planned "
            "retrainings do not start."
        )
        if confirmed("Archive this project", key="archive_now"):
            finish(partial(_change, project.id, {"archived": True}, "It is archived."))


def _for_whom(project: ProjectOut) -> str:
    if project.members <= 1:
        return ""
    return f" for all of its {text.counted(project.members, 'member')}"


def _draw_delete(project: ProjectOut) -> None:
    with st.container(border=True, key="project_delete"):
        st.markdown(
            "**Delete.** The project goes to the trash with all that is in it, for every member."
        )
        if st.button("Delete", key="delete_project"):
            open_dialog(f"delete_project.{project.id}")
        if is_open(f"delete_project.{project.id}"):
            _confirm_delete(project)


@st.dialog("Delete", on_dismiss=close_dialog)
def _confirm_delete(project: ProjectOut) -> None:
    with errors_shown("delete_project"):
        held = text.contents(project.datasets, project.fits, project.models) or "nothing in it"
        st.markdown(
            f"**{text.plain(project.name)}** goes to the trash with {held}. Unfinished fits are "
            "cancelled; programs that ask its models for predictions get a 404 from now on."
        )
        typed = st.text_input("Type the project's name", key=f"delete_project.{project.id}.name")
        if not confirmed("Delete this project", key="delete_project_now"):
            return
        if typed.strip() != project.name.strip():
            st.error("That is not the project's name. Nothing was deleted.")
            return
        state.selected_project = None
        finish(partial(_delete, project))


def _delete(project: ProjectOut) -> str:
    identity.projects_api().delete_project(project.id)
    return f"Project {project.id}, {project.name}, is in the trash."
