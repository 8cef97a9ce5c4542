"""Which project something goes into, and who may put it there."""

import re
import unicodedata

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import SYSTEM, ProjectRole, Viewer
from backend.core.errors import Forbidden
from backend.projects.repository import ProjectRepository, visible_in_project
from backend.tables import Project, ProjectMember, User

__all__ = [
    "personal_project",
    "project_readers",
    "require_editor",
    "visible_in_project",
    "writable_project",
]


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "user"


async def personal_project(session: AsyncSession, viewer: Viewer) -> Project:
    """The viewer's own project, made when it is first needed; parallel calls make one."""
    projects = ProjectRepository(session, viewer)
    project = await projects.find_personal()
    if project is not None:
        return project
    statement = (
        insert(Project)
        .values(
            name=f"{viewer.username}'s project",
            slug=f"{_slug(viewer.username)}-{viewer.user_id}",
            personal=True,
            created_by=viewer.user_id,
        )
        .on_conflict_do_nothing()
        .returning(Project.id)
    )
    project_id = (await session.execute(statement)).scalar_one_or_none()
    if project_id is not None:
        session.add(
            ProjectMember(
                project_id=project_id, user_id=viewer.user_id, role=ProjectRole.OWNER.value
            )
        )
        await session.flush()
    made = await projects.find_personal()
    if made is None:
        raise LookupError(f"no personal project for user {viewer.user_id}")
    return made


async def writable_project(
    session: AsyncSession, viewer: Viewer, project_id: int | None
) -> Project:
    """The project that something new goes into: the one named, else the personal one."""
    if project_id is None:
        return await personal_project(session, viewer)
    projects = ProjectRepository(session, viewer)
    project = await projects.get(project_id)
    await require_editor(session, viewer, project.id)
    return project


async def require_editor(session: AsyncSession, viewer: Viewer, project_id: int) -> None:
    """Refuse a reader of a project who wants to change something in it."""
    roles = await ProjectRepository(session, viewer).roles([project_id])
    if viewer.sees_everything or roles.get(project_id) in (ProjectRole.OWNER, ProjectRole.EDITOR):
        return
    raise Forbidden("You may read this project, not change it. Ask its owner.")


async def project_readers(session: AsyncSession, project_id: int) -> tuple[str, list[str]]:
    """The project's slug and the names of its members, for MLflow's permissions."""
    project = await ProjectRepository(session, SYSTEM).get(project_id)
    members = (
        select(User.username)
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == project_id)
        .order_by(User.username)
    )
    return project.slug, list((await session.execute(members)).scalars())
