"""Which fits a list is about, as conditions of a statement that serves any values."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, exists, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB

from backend.core.access import ProjectRole, Viewer
from backend.core.schemas import MAXIMUM_ID
from backend.core.security import name_key
from backend.fits.schemas import FitFilter
from backend.projects.service import visible_in_project
from backend.tables import Dataset, Fit, FitStar, Project, ProjectMember, User

_EDITORS: Final = (ProjectRole.OWNER.value, ProjectRole.EDITOR.value)
_ESCAPE: Final = "/"
_VIEWER: Final = bindparam("viewer_id", type_=BigInteger)
_EQUAL: Final = {
    "dataset_id": Fit.dataset_id,
    "state": Fit.state,
    "estimator": Fit.estimator,
    "leaderboard_id": Fit.leaderboard_id,
}


def asked_for(filter_by: FitFilter) -> dict[str, Any]:
    """What is asked for by its name, and the value that the statement takes."""
    asked = {name: value for name, value in filter_by if value not in (None, False)}
    if filter_by.tag is not None and "=" in filter_by.tag:
        key, _, value = filter_by.tag.partition("=")
        asked["tag_pair"] = {key: value}
    if filter_by.created_by is not None:
        asked["created_by"] = name_key(filter_by.created_by)
    if filter_by.search is not None:
        asked["search"] = _escaped(filter_by.search)
        number = filter_by.search.removeprefix("#")
        if number.isascii() and number.isdigit() and 0 < int(number) <= MAXIMUM_ID:
            asked["number"] = int(number)
    return asked


def _escaped(text: str) -> str:
    for sign in (_ESCAPE, "%", "_"):
        text = text.replace(sign, _ESCAPE + sign)
    return text


def is_starred() -> ColumnElement[bool]:
    """Whether who asks has marked the fit."""
    return exists().where(FitStar.fit_id == Fit.id, FitStar.user_id == _VIEWER)


def conditions(asked: AbstractSet[str]) -> list[ColumnElement[bool]]:
    """Conditions whose values are parameters of the names in `asked_for`."""
    is_trashed = Fit.trashed_at.is_not(None)
    wanted: list[ColumnElement[bool]] = [is_trashed if "trashed" in asked else ~is_trashed]
    if "trashed" not in asked:
        is_archived = Fit.archived_at.is_not(None)
        wanted.append(is_archived if "archived" in asked else ~is_archived)
    wanted += [column == bindparam(name) for name, column in _EQUAL.items() if name in asked]
    if "mine" in asked:
        wanted.append(Fit.created_by == _VIEWER)
    if "created_by" in asked:
        named = select(User.id).where(User.username_key == bindparam("created_by"))
        wanted.append(Fit.created_by == named.scalar_subquery())
    if "starred" in asked:
        wanted.append(is_starred())
    if "tag" in asked:
        wanted.append(_has_tag(is_pair="tag_pair" in asked))
    if "search" in asked:
        wanted.append(_mentions(is_number="number" in asked))
    return wanted


def _has_tag(*, is_pair: bool) -> ColumnElement[bool]:
    """`key`, or `key=value`; a key may hold the sign itself."""
    has_key: ColumnElement[bool] = Fit.tags.has_key(bindparam("tag", type_=Text))
    return (
        or_(has_key, Fit.tags.contains(bindparam("tag_pair", type_=JSONB))) if is_pair else has_key
    )


def _mentions(*, is_number: bool) -> ColumnElement[bool]:
    def found(column: Any) -> ColumnElement[bool]:
        said: ColumnElement[bool] = column.icontains(bindparam("search"), escape=_ESCAPE)
        return said

    named = select(Dataset.id).where(found(Dataset.name))
    told = or_(found(Fit.name), found(Fit.target), found(Fit.notes), Fit.dataset_id.in_(named))
    return or_(told, Fit.id == bindparam("number")) if is_number else told


def visible_projects(asked: AbstractSet[str], viewer: Viewer) -> Select[Any]:
    """Those whose fits are listed; of the trash only what the viewer may restore."""
    projects = select(Project.id).where(visible_in_project(Project.id, viewer))
    if "project_id" in asked:
        projects = projects.where(Project.id == bindparam("project_id"))
    if "trashed" in asked and not viewer.sees_everything:
        editable = select(ProjectMember.project_id).where(
            ProjectMember.user_id == viewer.user_id, ProjectMember.role.in_(_EDITORS)
        )
        projects = projects.where(Project.id.in_(editable) if viewer.may_write else ~true())
    return projects
