"""Which project: a list's filter, and the line on the page of what lies in one."""

from collections.abc import Mapping
from typing import Final

import streamlit as st

from frontend import permission, text
from frontend.pages import PageName, link, number_parameter
from frontend.permission import Access

PARAMETER: Final = "project"


def draw_project_filter(names: Mapping[int, str]) -> int | None:
    """A list's filter, kept in the address by its number; None stands for all.

    Streamlit's own binding would write the name, which other projects may have as well.
    """
    wanted = number_parameter(PARAMETER)
    numbers = list(names)
    chosen: int | None = st.selectbox(
        "Project",
        numbers,
        index=numbers.index(wanted) if wanted is not None and wanted in names else None,
        format_func=lambda number: names.get(number, str(number)),
        key=f"project_filter.{wanted}",  # another address is another choice
        placeholder="any",
    )
    if chosen is None:
        st.query_params.pop(PARAMETER, None)
    elif chosen != wanted:
        st.query_params[PARAMETER] = str(chosen)
    return chosen


def draw_project_line(access: Access) -> None:
    """Where it lies, and why nothing can be changed, where that is so."""
    project = access.project
    label = f"In {text.plain(project.name)}"
    shared = "" if project.members <= 1 else f" · {text.counted(project.members, 'member')}"
    link(PageName.PROJECT, label + shared, id=project.id)
    permission.draw_why_not(access)
