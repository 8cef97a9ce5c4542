"""All projects that the user may see: who is in them, and how much."""

import uuid
from typing import Any, Final

import streamlit as st

from backend.projects.schemas import ProjectOut
from frontend import identity, permission, text
from frontend.address import in_address
from frontend.client import ApiError, SignedOut
from frontend.dialogs import close_dialog, confirmed, is_open, open_dialog
from frontend.pages import PageName, go
from frontend.projects_client import ProjectQuery
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown, page_title, show_problems

LONGEST_NAME: Final = 200
LONGEST_DESCRIPTION: Final = 5_000
DIALOG: Final = "new_project"
ARCHIVED: Final[dict[str, bool | None]] = {"active": False, "archived": True, "all": None}
SORTS: Final = {"name": "by name", "-created_at": "newest first", "created_at": "oldest first"}
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=190),
    **{
        name: st.column_config.NumberColumn(width=70, format="localized")
        for name in ("Members", "Datasets", "Fits", "Models")
    },
}


def draw() -> None:
    """The page."""
    page_title(
        "Projects",
        "A project is what people share: its members see every dataset, fit and model in it.",
    )
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    if permission.may_write(identity.current_user()):
        if st.button("New project", type="primary", shortcut="N"):
            open_dialog(DIALOG)
        if is_open(DIALOG):
            _make()
    query = _draw_filters()
    projects = identity.projects_api().find_projects(query)
    if not projects:
        st.info("No project matches these filters.")
        return
    st.caption(text.counted(len(projects), "project"))
    _draw_table(projects)


def _draw_filters() -> ProjectQuery:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name", placeholder="contains …", **in_address("project_name", usual="")
        )
        shown = st.selectbox(
            "Show", list(ARCHIVED), **in_address("shown", ARCHIVED, usual=next(iter(ARCHIVED)))
        )
        sort = st.selectbox(
            "Order",
            list(SORTS),
            format_func=lambda key: SORTS[key],
            **in_address("projects_order", SORTS, usual=next(iter(SORTS))),
        )
        mine = False
        if identity.current_user().role.value == "admin":  # the others see no more than theirs
            mine = st.toggle("Only mine", **in_address("my_projects", usual=False))
    return ProjectQuery(name.strip(), ARCHIVED[shown], mine, sort)


def _draw_table(projects: list[ProjectOut]) -> None:
    ids = [project.id for project in projects]
    state.selected_project = clickable_table(
        [_row(project) for project in projects],
        ids=ids,
        selected=state.selected_project,
        key="projects",
        columns=COLUMNS,
        alt="Table of projects; the button below opens the chosen number",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_project or ids[0]
        number = st.selectbox(
            "Project no.", ids, index=ids.index(default), key=f"project_no.{default}", width=120
        )
        if st.button("Open", type="primary", key="open_project"):
            go(PageName.PROJECT, id=number)


def _row(project: ProjectOut) -> dict[str, Any]:
    return {
        "No.": project.id,
        "Name": project.name,
        "My role": "-" if project.my_role is None else project.my_role.value,
        "Members": project.members,
        "Datasets": project.datasets,
        "Fits": project.fits,
        "Models": project.models,
        "Made by": project.created_by,
        "Kind": _kind(project),
        "Made": text.ago(project.created_at),
    }


def _kind(project: ProjectOut) -> str:
    kind = "personal" if project.personal else "shared"
    return f"{kind}, archived" if project.archived else kind


@st.dialog("New project", on_dismiss=close_dialog)
def _make() -> None:
    with errors_shown("new_project"):
        name = st.text_input("Name", max_chars=LONGEST_NAME, key="new_project.name")
        description = st.text_area(
            "Description",
            max_chars=LONGEST_DESCRIPTION,
            key="new_project.description",
            placeholder="What it is about",
        )
        st.caption("You own it. Nobody else sees it until you add members.")
        if not confirmed("Make project", key="new_project"):
            return
        if not name.strip():
            st.error("A project needs a name.")
            return
        state.make_key = state.make_key or uuid.uuid4().hex
        # The same press again, after a lost answer, is the same project.
        key = uuid.uuid5(uuid.UUID(state.make_key), f"{name}\0{description}").hex
        try:
            project = identity.projects_api().create_project(
                name.strip(), description.strip(), key=key
            )
        except SignedOut:
            raise
        except ApiError as error:
            show_problems(error)
            return
        state.make_key = ""
        close_dialog()
        state.notice = "The project is made. Add the people who are to see it."
        go(PageName.PROJECT, id=project.id, tab="Members")
