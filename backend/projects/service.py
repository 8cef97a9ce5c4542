"""Making and changing projects; which project something goes into."""

import re
import secrets
import unicodedata
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import ProjectRole, Viewer
from backend.core.audit import Action, about, assign, record
from backend.core.db import database_time
from backend.core.errors import Forbidden
from backend.core.idempotency import Idempotency, fingerprint
from backend.projects.holdings import Holding, holdings
from backend.projects.members import hand_over, leave_all
from backend.projects.mirroring import members_changed, project_readers
from backend.projects.permissions import (
    PersonalProjectFixed,
    ProjectArchived,
    require_both_owned,
    require_editor,
    require_owner,
)
from backend.projects.repository import ProjectRepository, visible_in_project
from backend.projects.schemas import ProjectCreate, ProjectUpdate
from backend.projects.trash import trash_project
from backend.tables import Project, ProjectMember

__all__ = [
    "Holding",
    "create_project",
    "hand_over",
    "holdings",
    "leave_all",
    "members_changed",
    "owned_project",
    "personal_project",
    "project_readers",
    "require_both_owned",
    "require_editor",
    "trash_project",
    "trash_shared_project",
    "update_project",
    "visible_in_project",
    "writable_project",
]
LONGEST_SLUG: Final = 80


def _slug(name: str, otherwise: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_SLUG].strip("-") or otherwise


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
            slug=f"{_slug(viewer.username, 'user')}-{viewer.user_id}",
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
    if project_id is not None:
        record(session, viewer, Action.PROJECT_CREATED, about(made), details={"personal": True})
        await session.flush()
    return made


async def writable_project(
    session: AsyncSession, viewer: Viewer, project_id: int | None
) -> Project:
    """The project that something new goes into: the one named, else the personal one.

    What a token makes that reaches one project goes there.
    """
    if project_id is None and viewer.project_id is None:
        return await personal_project(session, viewer)
    project = await ProjectRepository(session, viewer).get(project_id or viewer.project_id or 0)
    await require_editor(session, viewer, project.id)
    return project


async def create_project(
    session: AsyncSession, viewer: Viewer, data: ProjectCreate, *, idempotency: Idempotency
) -> Project:
    """A new shared project of the viewer's own; sent again with the same key it is the same."""
    if viewer.project_id is not None:
        raise Forbidden("This token reaches one project; it makes no other.")
    projects = ProjectRepository(session, viewer)
    content = fingerprint(data.model_dump(mode="json"))
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await projects.get(made)
    project = Project(
        name=data.name,
        description=data.description,
        slug=secrets.token_hex(16),
        personal=False,
        created_by=viewer.user_id,
    )
    session.add(project)
    await session.flush()
    # Its number keeps it apart from all others, also trashed ones, without telling of them.
    project.slug = f"{_slug(data.name, 'project')}-p{project.id}"
    session.add(
        ProjectMember(project_id=project.id, user_id=viewer.user_id, role=ProjectRole.OWNER.value)
    )
    record(session, viewer, Action.PROJECT_CREATED, about(project))
    await session.flush()
    await idempotency.remember(session, viewer, content, project.id)
    return await projects.get(project.id)


async def owned_project(session: AsyncSession, viewer: Viewer, project_id: int) -> Project:
    """A project of the viewer's own, locked until the transaction ends."""
    project = await ProjectRepository(session, viewer).get(project_id, for_update=True)
    await require_owner(session, viewer, project)
    return project


async def update_project(
    session: AsyncSession, viewer: Viewer, project: Project, data: ProjectUpdate
) -> None:
    """Rename, describe, archive or open again; what is archived changes in nothing else."""
    wanted = data.model_dump(exclude_unset=True, exclude_none=True)
    archive = wanted.pop("archived", project.archived_at is not None)
    if archive and project.personal:
        raise PersonalProjectFixed("A personal project cannot be archived.")
    if wanted and archive and project.archived_at is not None:
        raise ProjectArchived
    changes = assign(project, wanted)
    if changes:
        record(session, viewer, Action.PROJECT_UPDATED, about(project), details=changes)
    if archive != (project.archived_at is not None):
        project.archived_at = await database_time(session) if archive else None
        action = Action.PROJECT_ARCHIVED if archive else Action.PROJECT_UNARCHIVED
        record(session, viewer, action, about(project))
    await session.flush()


async def trash_shared_project(session: AsyncSession, viewer: Viewer, project: Project) -> None:
    """Move a project to the trash, unless it is somebody's personal one."""
    if project.personal:
        raise PersonalProjectFixed("A personal project cannot be deleted. Delete what is in it.")
    await trash_project(session, viewer, project)
