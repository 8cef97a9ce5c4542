"""Projects over HTTP: make, share, hand on, archive, delete."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.accounts.schemas import Username
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page, StorableText
from backend.projects import members, service
from backend.projects.repository import MemberRepository, ProjectRepository
from backend.projects.schemas import (
    MemberList,
    MemberOut,
    MemberSet,
    ProjectCreate,
    ProjectFilter,
    ProjectOut,
    ProjectUpdate,
    Transfer,
)
from backend.tables import Project, ProjectMember, User

router = APIRouter(prefix="/projects", tags=["projects"])


async def _project_outs(
    session: SessionDep, viewer: ViewerDep, rows: Sequence[Project]
) -> list[ProjectOut]:
    projects = ProjectRepository(session, viewer)
    ids = [row.id for row in rows]
    roles, contents = await projects.roles(ids), await projects.contents(ids)
    return [
        ProjectOut(
            id=row.id,
            name=row.name,
            description=row.description,
            slug=row.slug,
            personal=row.personal,
            archived=row.archived_at is not None,
            my_role=roles.get(row.id),
            members=contents[row.id].members,
            datasets=contents[row.id].datasets,
            fits=contents[row.id].fits,
            models=contents[row.id].models,
            created_by=contents[row.id].created_by,
            created_at=row.created_at,
        )
        for row in rows
    ]


async def _one_out(session: SessionDep, viewer: ViewerDep, row: Project) -> ProjectOut:
    return (await _project_outs(session, viewer, [row]))[0]


def _member_out(member: ProjectMember, user: User) -> MemberOut:
    return MemberOut.model_validate(
        {
            "username": user.username,
            "display_name": user.display_name,
            "role": member.role,
            "disabled": user.disabled_at is not None,
            "since": member.created_at,
        }
    )


@router.get("")
async def list_projects(
    session: SessionDep,
    viewer: ViewerDep,
    page: PageDep,
    signer: SignerDep,
    name_contains: Annotated[StorableText | None, Query(max_length=200)] = None,
    archived: bool | None = None,
    mine: bool = False,
) -> Page[ProjectOut]:
    """The caller's projects, the personal one among them; for administrators all."""
    if viewer.project_id is None:
        await service.personal_project(session, viewer)
    filter_by = ProjectFilter(name_contains=name_contains, archived=archived, mine=mine)
    rows, next_cursor = await ProjectRepository(session, viewer).page(page, signer, filter_by)
    items = await _project_outs(session, viewer, rows)
    return Page[ProjectOut](items=items, next_cursor=next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_project(
    session: SessionDep,
    viewer: WriterDep,
    idempotency: IdempotencyDep,
    data: ProjectCreate,
    response: Response,
) -> ProjectOut:
    """A shared project that the caller owns."""
    row = await service.create_project(session, viewer, data, idempotency=idempotency)
    project = await _one_out(session, viewer, row)
    response.headers["Location"] = f"/api/v1/projects/{project.id}"
    send_etag(response, project)
    return project


@router.get("/{project_id}")
async def read_project(
    session: SessionDep, viewer: ViewerDep, project_id: Id, response: Response
) -> ProjectOut:
    """One project."""
    row = await ProjectRepository(session, viewer).get(project_id)
    project = await _one_out(session, viewer, row)
    send_etag(response, project)
    return project


@router.patch("/{project_id}")
async def update_project(
    session: SessionDep,
    viewer: WriterDep,
    project_id: Id,
    data: ProjectUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> ProjectOut:
    """Rename, describe, archive or open again."""
    row = await service.owned_project(session, viewer, project_id)
    check_match(if_match, await _one_out(session, viewer, row))
    await service.update_project(session, viewer, row, data)
    project = await _one_out(session, viewer, row)
    send_etag(response, project)
    return project


@router.delete("/{project_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_project(
    session: SessionDep, viewer: WriterDep, project_id: Id, if_match: IfMatchDep
) -> None:
    """Move a project and all in it to the trash; what runs in it is cancelled."""
    row = await service.owned_project(session, viewer, project_id)
    check_match(if_match, await _one_out(session, viewer, row))
    await service.trash_shared_project(session, viewer, row)


@router.get("/{project_id}/members")
async def list_members(session: SessionDep, viewer: ViewerDep, project_id: Id) -> MemberList:
    """Who works in a project."""
    await ProjectRepository(session, viewer).get(project_id)
    rows = await MemberRepository(session, viewer).list_of(project_id)
    return MemberList(items=[_member_out(member, user) for member, user in rows])


@router.put("/{project_id}/members/{username}")
async def set_member(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    project_id: Id,
    username: Username,
    data: MemberSet,
) -> MemberOut:
    """Share a project with somebody, or change a member's role; it counts with the next request."""
    member, user = await members.set_member(
        session, viewer, project_id, username, data.role, settings.auth
    )
    return _member_out(member, user)


@router.delete("/{project_id}/members/{username}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_member(
    session: SessionDep, viewer: ViewerDep, project_id: Id, username: Username
) -> None:
    """Take a project from a member; oneself: leave it."""
    await members.remove_member(session, viewer, project_id, username)


@router.post("/{project_id}/transfer")
async def transfer_project(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    project_id: Id,
    data: Transfer,
    response: Response,
) -> ProjectOut:
    """Make somebody else the owner; the caller stays as an editor."""
    row = await members.transfer(session, viewer, project_id, data.username, settings.auth)
    project = await _one_out(session, viewer, row)
    send_etag(response, project)
    return project
