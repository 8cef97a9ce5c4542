"""Projects that the caller works in."""

from fastapi import APIRouter, Response

from backend.accounts.dependencies import ViewerDep
from backend.core.access import ProjectRole
from backend.core.deps import PageDep, SessionDep, SignerDep
from backend.core.etag import send_etag
from backend.core.schemas import Id, Page
from backend.projects import service
from backend.projects.repository import ProjectRepository
from backend.projects.schemas import ProjectOut
from backend.tables import Project

router = APIRouter(prefix="/projects", tags=["projects"])


def _project_out(project: Project, role: ProjectRole | None) -> ProjectOut:
    return ProjectOut(
        id=project.id,
        name=project.name,
        description=project.description,
        slug=project.slug,
        personal=project.personal,
        archived=project.archived_at is not None,
        members=0,
        datasets=0,
        fits=0,
        models=0,
        created_by="",
        my_role=role,
        created_at=project.created_at,
    )


@router.get("")
async def list_projects(
    session: SessionDep, viewer: ViewerDep, page: PageDep, signer: SignerDep
) -> Page[ProjectOut]:
    """Projects that the caller is a member of; the personal one is always there."""
    await service.personal_project(session, viewer)
    projects = ProjectRepository(session, viewer)
    rows, next_cursor = await projects.page(page, signer)
    roles = await projects.roles([row.id for row in rows])
    items = [_project_out(row, roles.get(row.id)) for row in rows]
    return Page[ProjectOut](items=items, next_cursor=next_cursor)


@router.get("/{project_id}")
async def read_project(
    session: SessionDep, viewer: ViewerDep, project_id: Id, response: Response
) -> ProjectOut:
    """One project."""
    projects = ProjectRepository(session, viewer)
    row = await projects.get(project_id)
    roles = await projects.roles([row.id])
    project = _project_out(row, roles.get(row.id))
    send_etag(response, project)
    return project
