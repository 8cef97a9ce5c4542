"""Sharing a project: members come, change their role, and go.

The project's row is locked first, so that of two owners who leave at once one stays. A person's
row is locked before that: whoever deletes an account does it in this order too.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import attempts
from backend.core.access import ProjectRole, Role, Viewer
from backend.core.audit import Action, about, record
from backend.core.errors import Conflict, FieldProblem, Unprocessable, field_error
from backend.projects.permissions import PersonalProjectFixed, require_owner
from backend.projects.repository import MemberRepository, ProjectRepository
from backend.settings import AuthSettings
from backend.tables import Project, ProjectMember, User


class LastOwner(Conflict):
    """A project needs an owner"""

    code = "last_owner"


class PersonUnknown(Unprocessable):
    """The input is not valid"""

    # Asking counts though the request fails.
    keeps_changes = True

    def __init__(self) -> None:
        msg = "there is nobody with this user name"
        problem = FieldProblem(loc=["body", "username"], msg=msg, type="value_error")
        super().__init__(msg, errors=[problem])


async def _person(session: AsyncSession, viewer: Viewer, username: str, auth: AuthSettings) -> User:
    """Somebody by name; nothing may have been changed before, as a failure keeps changes."""
    if not viewer.sees_everything:
        await attempts.refuse_too_many_names(session, user_id=viewer.user_id, auth=auth)
    person = await MemberRepository(session, viewer).find_person(username)
    if person is None:
        await attempts.count_unknown_name(session, user_id=viewer.user_id)
        raise PersonUnknown
    return person


async def set_member(
    session: AsyncSession,
    viewer: Viewer,
    project_id: int,
    username: str,
    role: ProjectRole,
    auth: AuthSettings,
) -> tuple[ProjectMember, User]:
    """Share the project with somebody, or give a member another role."""
    projects, members = ProjectRepository(session, viewer), MemberRepository(session, viewer)
    # Whether there is such a person is the owners' to know.
    await require_owner(session, viewer, await projects.get(project_id))
    person = await _person(session, viewer, username, auth)
    project = await projects.get(project_id, for_update=True)
    await require_owner(session, viewer, project)
    member = await members.find(project_id, person.id)
    if member is not None and member.role == role:
        return member, person
    if person.platform_role is Role.VIEWER and role is not ProjectRole.VIEWER:
        raise field_error("role", msg="this account may only read: it can be a viewer")
    if project.personal:
        _require_fixed_owner(project, person, role)
    if member is None:
        member = ProjectMember(project_id=project_id, user_id=person.id, role=role.value)
        session.add(member)
        before = None
    else:
        before = member.role
        await _require_other_owner(session, viewer, member)
        member.role = role.value
    details = {"username": person.username, "role": role.value, "before": before}
    await _changed(session, viewer, project, Action.MEMBER_SET, details)
    return member, person


def _require_fixed_owner(project: Project, person: User, role: ProjectRole) -> None:
    if person.id == project.created_by:
        raise PersonalProjectFixed("The owner of a personal project stays its owner.")
    if role is ProjectRole.OWNER:
        raise PersonalProjectFixed(
            "A personal project has one owner. Make a shared project, and move things there."
        )


async def _require_other_owner(
    session: AsyncSession, viewer: Viewer, member: ProjectMember
) -> None:
    if member.role != ProjectRole.OWNER:
        return
    owners = await MemberRepository(session, viewer).list_acting_owners(member.project_id)
    if all(owner.user_id == member.user_id for owner in owners):
        raise LastOwner("This is the project's last owner. Make somebody else an owner first.")


async def remove_member(
    session: AsyncSession, viewer: Viewer, project_id: int, username: str
) -> None:
    """Take the project from somebody; oneself: leave it."""
    projects, members = ProjectRepository(session, viewer), MemberRepository(session, viewer)
    project = await projects.get(project_id, for_update=True)
    member = await members.get_named(project_id, username)
    if member.user_id != viewer.user_id:
        await require_owner(session, viewer, project)
    if project.personal and member.user_id == project.created_by:
        raise PersonalProjectFixed("The owner of a personal project stays in it.")
    await _require_other_owner(session, viewer, member)
    name = await session.scalar(select(User.username).where(User.id == member.user_id))
    details = {"username": name, "role": member.role}
    await session.delete(member)
    await _changed(session, viewer, project, Action.MEMBER_REMOVED, details)


async def transfer(
    session: AsyncSession, viewer: Viewer, project_id: int, username: str, auth: AuthSettings
) -> Project:
    """Somebody else owns the project; who owned it until now edits."""
    projects = ProjectRepository(session, viewer)
    await require_owner(session, viewer, await projects.get(project_id))
    heir = await _person(session, viewer, username, auth)
    project = await projects.get(project_id, for_update=True)
    await require_owner(session, viewer, project)
    if project.personal:
        raise PersonalProjectFixed(
            "A personal project stays with its person. Move what is in it to a shared project."
        )
    if heir.platform_role is Role.VIEWER:
        raise field_error("username", msg="this account may only read: it can own nothing")
    members = MemberRepository(session, viewer)
    before = await members.find(project_id, viewer.user_id)
    # An administrator who is no owner puts the heir in the place of all owners.
    owned = before is not None and before.role == ProjectRole.OWNER
    former = [before] if before and owned else await members.list_owners(project_id)
    for owner in former:
        owner.role = ProjectRole.EDITOR.value
    await _make_owner(session, viewer, project, heir)
    await _changed(session, viewer, project, Action.PROJECT_TRANSFERRED, {"to": heir.username})
    return project


async def _make_owner(session: AsyncSession, viewer: Viewer, project: Project, heir: User) -> None:
    member = await MemberRepository(session, viewer).find(project.id, heir.id)
    if member is None:
        member = ProjectMember(project_id=project.id, user_id=heir.id)
        session.add(member)
    member.role = ProjectRole.OWNER.value
    await session.flush()


async def hand_over(session: AsyncSession, viewer: Viewer, project: Project, heir: User) -> None:
    """The heir of a deleted account owns the project; a personal one becomes a shared one.

    The members stay; `leave_all` takes the account out.
    """
    project = await ProjectRepository(session, viewer).get(project.id, for_update=True)
    project.personal = False
    await _make_owner(session, viewer, project, heir)
    await _changed(session, viewer, project, Action.PROJECT_TRANSFERRED, {"to": heir.username})


async def leave_all(session: AsyncSession, viewer: Viewer, user: User) -> None:
    """Take an account that is being deleted out of all projects; owned ones were handed over."""
    projects, members = ProjectRepository(session, viewer), MemberRepository(session, viewer)
    joined = projects.scoped().join(ProjectMember, ProjectMember.project_id == Project.id)
    found = await session.execute(
        joined.where(ProjectMember.user_id == user.id)
        .with_only_columns(Project.id)
        .order_by(Project.id)
    )
    for project_id in found.scalars().all():
        project = await projects.get(project_id, for_update=True)
        member = await members.find(project_id, user.id)
        if member is not None:
            # The other owner may have left since it was looked at what needs an heir.
            await _require_other_owner(session, viewer, member)
            details = {"username": user.username, "role": member.role}
            await session.delete(member)
            await _changed(session, viewer, project, Action.MEMBER_REMOVED, details)


async def _changed(
    session: AsyncSession,
    viewer: Viewer,
    project: Project,
    action: Action,
    details: Mapping[str, str | None],
) -> None:
    """MLflow follows each change of the members: `projects/tasks.py`."""
    project.revision += 1
    record(session, viewer, action, about(project), details=details)
    await session.flush()
