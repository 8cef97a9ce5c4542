"""Deleting an account: what only it owned goes to an heir or to the trash."""

from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import administration
from backend.core.access import Role, Viewer
from backend.core.errors import FieldProblem, Unprocessable
from backend.projects import members
from backend.projects.holdings import holdings
from backend.projects.repository import MemberRepository
from backend.projects.trash import trash_project
from backend.settings import Settings
from backend.tables import User


def _query_error(name: str, msg: str) -> Unprocessable:
    problem = FieldProblem(loc=["query", name], msg=msg, type="value_error")
    return Unprocessable(msg, errors=[problem])


async def delete_user(
    session: AsyncSession,
    viewer: Viewer,
    user: User,
    settings: Settings,
    *,
    heir: str | None,
    trash: bool,
) -> None:
    """Delete an account that `administration.get_for_change` gave, with all or nothing of it."""
    if heir is not None and trash:
        raise _query_error("trash", "name an heir or choose the trash, not both")
    await administration.keep_an_administrator(session, viewer, user, settings)
    new_owner = None if heir is None else await _heir(session, viewer, user, heir)
    for held in await holdings(session, user.id):
        if held.is_empty or trash:
            await trash_project(session, viewer, held.project)
        elif new_owner is not None:
            await members.hand_over(session, viewer, held.project, new_owner)
        else:
            raise _query_error(
                "heir", f"{user.username} owns projects: name an heir, or choose the trash"
            )
    await members.leave_all(session, viewer, user)
    await administration.remove_user(session, viewer, user, settings)


async def _heir(session: AsyncSession, viewer: Viewer, user: User, username: str) -> User:
    person = await MemberRepository(session, viewer).find_person(username)
    if person is None:
        raise _query_error("heir", "there is nobody with this user name")
    if person.id == user.id:
        raise _query_error("heir", "nobody inherits from themselves")
    if person.platform_role is Role.VIEWER:
        raise _query_error("heir", "this account may only read: it can own nothing")
    return person
