"""What the user may do in a project, and the calm sentence that says why not more."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from backend.accounts.schemas import UserOut
from backend.projects.schemas import ProjectOut
from frontend import identity, text
from frontend.projects_client import ProjectQuery

EDITING_ROLES: Final = frozenset({"owner", "editor"})
SHOWN_OWNERS: Final = 3


@dataclass(frozen=True)
class Access:
    """What the user may do in one project."""

    project: ProjectOut
    may_edit: bool
    may_stop: bool
    """Cancel what runs, which an archived project allows as well."""
    may_govern: bool
    """Share it, archive and delete it."""
    why_not: str
    """As Markdown: why nothing can be changed; empty where it can."""

    @property
    def may_move(self) -> bool:
        """Take something out of it."""
        return self.may_govern and not self.project.archived


def all_projects(*, mine: bool = False) -> list[ProjectOut]:
    """Those that the user may see or, for administrators, is a member of; the personal one first.

    The others follow by name.
    """
    found = identity.projects_api().find_projects(ProjectQuery(mine=mine))
    return sorted(found, key=lambda project: not is_own(project))


def names_of(projects: Iterable[ProjectOut]) -> dict[int, str]:
    """Names by number."""
    return {project.id: project.name for project in projects}


def project_names() -> dict[int, str]:
    """Names by number, of all that the user may see."""
    return names_of(all_projects())


def is_own(project: ProjectOut) -> bool:
    """Whether it is the user's personal project."""
    return project.personal and project.created_by == identity.current_user().username


def own_writable() -> list[ProjectOut]:
    """Those that the user is a member of and may put something new into."""
    user = identity.current_user()
    found = all_projects(mine=True)
    return [project for project in found if _is_editor(user, project) and not project.archived]


def governed() -> list[ProjectOut]:
    """Those that the user may move something into."""
    user = identity.current_user()
    found = all_projects()
    return [project for project in found if _may_govern(user, project) and not project.archived]


def access_to(project_id: int) -> Access:
    """Asked anew in each run, so that it counts at once; raises `NotThere` for strangers."""
    project = identity.projects_api().project(project_id)
    user = identity.current_user()
    may_stop = _is_editor(user, project)
    may_edit = may_stop and not project.archived
    may_govern = _may_govern(user, project)
    why_not = "" if may_edit else _why_not(user, project, may_govern=may_govern)
    return Access(project, may_edit, may_stop, may_govern, why_not)


def may_write(user: UserOut) -> bool:
    """Whether the user may make anything at all."""
    return user.role.value != "viewer"


def _is_editor(user: UserOut, project: ProjectOut) -> bool:
    return user.role.value == "admin" or (may_write(user) and _role(project) in EDITING_ROLES)


def _may_govern(user: UserOut, project: ProjectOut) -> bool:
    return user.role.value == "admin" or (may_write(user) and _role(project) == "owner")


def _role(project: ProjectOut) -> str:
    return "" if project.my_role is None else project.my_role.value


def _why_not(user: UserOut, project: ProjectOut, *, may_govern: bool) -> str:
    if project.archived:
        who = "Take it" if may_govern else f"Ask {owner_names(project.id)} to take it"
        return f"This project is archived: you may read it. {who} out of the archive to change it."
    if not may_write(user):
        return (
            "You may read this project. Your account only reads; an administrator can change that."
        )
    return f"You may read this project. Ask {owner_names(project.id)} to let you edit."


def owner_names(project_id: int) -> str:
    """Who may share the project, as Markdown."""
    members = identity.projects_api().members(project_id)
    owners = [member.username for member in members if member.role.value == "owner"]
    if not owners:
        return "an administrator"
    return " or ".join(text.plain(owner) for owner in owners[:SHOWN_OWNERS])


def draw_why_not(access: Access) -> None:
    """Why the page offers no changes; nothing where it does."""
    if access.why_not:
        st.caption(access.why_not)
