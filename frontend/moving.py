"""Moving a dataset, a fit or a model into another project."""

from dataclasses import dataclass
from functools import partial

import streamlit as st

from backend.projects.schemas import ProjectOut
from frontend import identity, permission, text
from frontend.dialogs import close_dialog, confirmed, finish, is_open, open_dialog
from frontend.pages import PageName, link
from frontend.permission import Access
from frontend.projects_client import ObjectKind
from frontend.widgets import errors_shown


@dataclass(frozen=True)
class Movable:
    """Something that lies in a project."""

    kind: ObjectKind
    number: int
    name: str
    along: str
    """A sentence: what goes along, and what stays."""
    why_fixed: str = ""
    """As Markdown: why it does not move alone; empty where it may."""

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/{self.kind}?id={self.number}"


def dataset_item(number: int, name: str) -> Movable:
    """A dataset as something to share or to move."""
    along = (
        "It moves with all of its versions. Fits of it stay where they are: who reads them goes on "
        "seeing its name, but not its rows."
    )
    return Movable("dataset", number, name, along)


def fit_item(number: int, name: str, *, model: str) -> Movable:
    """A fit as something to share or to move; `model` is the name of that it is a version of."""
    along = (
        "It moves with its plots and its files, and its run is recorded anew in MLflow. Its "
        "dataset stays where it is: the members see its name, but not its rows."
    )
    fixed = f"It is a version of {text.plain(model)}: move the model, and it goes along."
    return Movable("fit", number, name, along, why_fixed=fixed if model else "")


def model_item(number: int, name: str) -> Movable:
    """A model as something to share or to move."""
    along = (
        "It moves with all of its versions and their fits, which are recorded anew in MLflow. "
        "Their datasets stay where they are."
    )
    return Movable("model", number, name, along)


def draw_move(access: Access, item: Movable) -> None:
    """The button, for owners, and its dialog; or why there is none."""
    if not access.may_move:
        return
    if item.why_fixed:
        st.caption(item.why_fixed)
        return
    name = f"move.{item.kind}.{item.number}"
    if st.button("Move", key=f"move_{item.kind}", help="Into another project"):
        open_dialog(name)
    if is_open(name):
        _move(access, item)


def targets(access: Access) -> list[ProjectOut]:
    """The projects that the user may move things into."""
    return [project for project in permission.governed() if project.id != access.project.id]


@st.dialog("Move into another project", on_dismiss=close_dialog)
def _move(access: Access, item: Movable) -> None:
    with errors_shown("move"):
        st.markdown(
            f"**{text.plain(item.name)}** is in **{text.plain(access.project.name)}**. {item.along}"
        )
        others = {project.id: project for project in targets(access)}
        if not others:
            st.info("You own no other project that is in use.")
            link(PageName.PROJECTS, "Make one")
            return
        number = st.selectbox(
            "Into",
            list(others),
            format_func=lambda number: others[number].name,
            key=f"move.{item.kind}.{item.number}.into",
        )
        st.caption(who_sees(others[number]))
        if confirmed("Move", key=f"move_{item.kind}_now"):
            finish(partial(_do_move, item, others[number]))


def who_sees(project: ProjectOut) -> str:
    """As Markdown: who may read what comes into the project."""
    if project.members <= 1:
        return "Nobody else is in it yet."
    return f"Its {text.counted(project.members, 'member')} see it there."


def _do_move(item: Movable, project: ProjectOut) -> str:
    identity.projects_api().move(item.kind, item.number, project.id)
    return f"It is in the project {project.name} now."
