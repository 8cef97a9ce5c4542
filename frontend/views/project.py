"""One project: what is in it, who sees it, and its settings."""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from frontend import permission, text
from frontend.address import draw_tabs
from frontend.client import NotThere
from frontend.members import draw_members
from frontend.pages import PageName, link, number_parameter
from frontend.permission import Access
from frontend.project_content import draw_content
from frontend.project_settings import draw_settings
from frontend.state import state
from frontend.widgets import not_there, page_title

YOUR_ROLE: Final = {
    "owner": "You own it.",
    "editor": "You may edit what is in it.",
    "viewer": "You may read what is in it.",
}


def draw() -> None:
    """The page; `?id=3` names the project, `?tab=Members` what is shown of it."""
    project_id = number_parameter("id")
    if project_id is None:
        page_title("Project")
        st.info("Which one? The projects are in the list.")
        link(PageName.PROJECTS, "Projects")
        return
    try:
        access = permission.access_to(project_id)
    except NotThere:
        page_title(f"Project {project_id}")
        if notice := state.pop("notice"):  # it was deleted or left here
            st.success(text.plain(notice))
            link(PageName.PROJECTS, "Projects")
        else:
            not_there("project", project_id)
        return
    _draw_header(access)
    _draw_tabs(access)


def _draw_header(access: Access) -> None:
    project = access.project
    page_title(text.plain(project.name), _state_sentence(access))
    if project.description:
        st.text(project.description)
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    if project.archived:
        st.info(access.why_not)


def _state_sentence(access: Access) -> str:
    """As Markdown."""
    project = access.project
    kind = "personal" if project.personal else "shared"
    made = f"made by {text.plain(project.created_by)} {text.ago(project.created_at)}"
    if project.my_role is None:
        role = "You see it as an administrator."
    else:
        role = YOUR_ROLE[project.my_role.value]
    members = text.counted(project.members, "member")
    return f"Project {project.id} · {kind}, {members} · {made}. {role}"


def _draw_tabs(access: Access) -> None:
    draws: dict[str, Callable[[Access], None]] = {
        "Content": draw_content,
        "Members": draw_members,
        "Settings": draw_settings,
    }
    draw_tabs({name: partial(draw_tab, access) for name, draw_tab in draws.items()})
