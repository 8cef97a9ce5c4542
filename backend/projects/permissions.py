"""Who may do what in a project."""

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import ProjectRole, Viewer
from backend.core.errors import Conflict, Forbidden, NotFound
from backend.projects.repository import ProjectRepository
from backend.tables import Project

EDITORS = frozenset({ProjectRole.OWNER, ProjectRole.EDITOR})


class ProjectArchived(Conflict):
    """The project is archived"""

    code = "project_archived"

    def __init__(self) -> None:
        super().__init__("This project is archived: it can be read. Its owner can open it again.")


class PersonalProjectFixed(Conflict):
    """A personal project stays with its person"""

    code = "personal_project"


async def require_editor(
    session: AsyncSession, viewer: Viewer, project_id: int, *, also_archived: bool = False
) -> None:
    """Refuse a reader of a project who wants to change something in it, and changes in an archive.

    `also_archived` is for what only ends something that runs.
    """
    standing = await ProjectRepository(session, viewer).standing(project_id)
    if standing is None:
        raise NotFound("There is no such project, or it is not shared with you.")
    is_archived, role = standing
    if not viewer.sees_everything and not (viewer.may_write and role in EDITORS):
        raise Forbidden("You may read this project, not change it. Ask its owner.")
    if is_archived and not also_archived:
        raise ProjectArchived


async def require_owner(session: AsyncSession, viewer: Viewer, project: Project) -> None:
    """Refuse everybody but the project's owners and administrators."""
    roles = await ProjectRepository(session, viewer).roles([project.id])
    is_owner = viewer.may_write and roles.get(project.id) is ProjectRole.OWNER
    if not viewer.sees_everything and not is_owner:
        raise Forbidden("Only an owner of this project may do that.")


async def require_both_owned(
    session: AsyncSession, viewer: Viewer, source_id: int, target_id: int
) -> tuple[Project, Project]:
    """The projects that something moves between: both open, and both the viewer's own."""
    projects = ProjectRepository(session, viewer)
    pair = await projects.get(source_id), await projects.get(target_id)
    for project in pair:
        await require_owner(session, viewer, project)
    if any(project.archived_at is not None for project in pair):
        raise ProjectArchived
    return pair
