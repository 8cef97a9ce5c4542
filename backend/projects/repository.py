"""Statements over projects and members; the one permission predicate that all slices share."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.access import ProjectRole, Role, Viewer
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.core.security import name_key
from backend.projects.schemas import ProjectFilter
from backend.tables import Dataset, Fit, Model, Project, ProjectMember, User

SORT_KEYS = {
    "created_at": SortKey(Project.created_at, attrgetter("created_at")),
    "name": SortKey(Project.name, attrgetter("name")),
}


def visible_in_project(
    project_id: InstrumentedAttribute[int], viewer: Viewer
) -> ColumnElement[bool]:
    """Whether the viewer may read what belongs to this project: the only rule there is."""
    readable = select(Project.id).where(Project.trashed_at.is_(None))
    if not viewer.sees_everything:
        readable = readable.join(ProjectMember, ProjectMember.project_id == Project.id).where(
            ProjectMember.user_id == viewer.user_id
        )
    if viewer.project_id is not None:
        readable = readable.where(Project.id == viewer.project_id)
    return project_id.in_(readable)


def can_own() -> ColumnElement[bool]:
    """Whether an account, joined as `User`, can act as an owner; who may only read cannot."""
    return and_(
        User.disabled_at.is_(None), User.deleted_at.is_(None), User.role != Role.VIEWER.value
    )


def _count(table: type[Dataset] | type[Fit] | type[Model]) -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(table)
        .where(table.project_id == Project.id, table.trashed_at.is_(None))
        .scalar_subquery()
    )


class ProjectRepository(ScopedRepository[Project]):
    """Projects that the viewer is a member of, without the trash."""

    noun = "project"

    def scoped(self) -> Select[Project]:
        return select(Project).where(visible_in_project(Project.id, self.viewer))

    async def get(self, project_id: int, *, for_update: bool = False) -> Project:
        statement = self.scoped().where(Project.id == project_id)
        if for_update:
            # Who adds something to the project only needs it to stay: that goes on meanwhile.
            lock = statement.with_only_columns(Project.id).with_for_update(key_share=True)
            await self.session.execute(lock)
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def find_personal(self) -> Project | None:
        statement = self.scoped().where(Project.personal, Project.created_by == self.viewer.user_id)
        return await self.find_one(statement)

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: ProjectFilter
    ) -> tuple[list[Project], str | None]:
        statement = self.scoped()
        if filter_by.name_contains:
            statement = statement.where(
                Project.name.icontains(filter_by.name_contains, autoescape=True)
            )
        if filter_by.archived is not None:
            is_archived = Project.archived_at.is_not(None)
            statement = statement.where(is_archived if filter_by.archived else ~is_archived)
        if filter_by.mine:
            own = select(ProjectMember.project_id).where(
                ProjectMember.user_id == self.viewer.user_id
            )
            statement = statement.where(Project.id.in_(own))
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Project.id, signer=signer
        )

    async def roles(self, project_ids: Sequence[int]) -> dict[int, ProjectRole]:
        """The viewer's own role in each of these projects."""
        statement = select(ProjectMember.project_id, ProjectMember.role).where(
            ProjectMember.user_id == self.viewer.user_id, ProjectMember.project_id.in_(project_ids)
        )
        return {row[0]: ProjectRole(row[1]) for row in await self.session.execute(statement)}

    async def standing(self, project_id: int) -> tuple[bool, ProjectRole | None] | None:
        """Whether the project is archived, and the viewer's role in it; None when it is not seen.

        One statement: every change of anything asks it.
        """
        own = (ProjectMember.project_id == Project.id) & (
            ProjectMember.user_id == self.viewer.user_id
        )
        statement = (
            self.scoped()
            .with_only_columns(Project.archived_at, ProjectMember.role)
            .outerjoin(ProjectMember, own)
            .where(Project.id == project_id)
        )
        row = (await self.session.execute(statement)).one_or_none()
        if row is None:
            return None
        return row.archived_at is not None, None if row.role is None else ProjectRole(row.role)

    async def contents(self, project_ids: Sequence[int]) -> dict[int, Any]:
        """How much is in each of these projects, and who made them: one statement for a page."""
        members = (
            select(func.count())
            .select_from(ProjectMember)
            .where(ProjectMember.project_id == Project.id)
            .scalar_subquery()
        )
        statement = (
            self.scoped()
            .with_only_columns(
                Project.id,
                User.username.label("created_by"),
                members.label("members"),
                _count(Dataset).label("datasets"),
                _count(Fit).label("fits"),
                _count(Model).label("models"),
            )
            .join(User, User.id == Project.created_by)
            .where(Project.id.in_(project_ids))
        )
        return {row.id: row for row in await self.session.execute(statement)}


class MemberRepository(ScopedRepository[ProjectMember]):
    """Members of the projects that the viewer may read."""

    noun = "member of this project"

    def scoped(self) -> Select[ProjectMember]:
        return select(ProjectMember).where(
            visible_in_project(ProjectMember.project_id, self.viewer)
        )

    async def list_of(self, project_id: int) -> Sequence[Any]:
        """All members as (member, user), by name."""
        statement = (
            self.scoped()
            .add_columns(User)
            .join(User, User.id == ProjectMember.user_id)
            .where(ProjectMember.project_id == project_id, User.deleted_at.is_(None))
            .order_by(User.username_key)
        )
        return (await self.session.execute(statement)).all()

    async def find(self, project_id: int, user_id: int) -> ProjectMember | None:
        statement = self.scoped().where(
            ProjectMember.project_id == project_id, ProjectMember.user_id == user_id
        )
        return await self.find_one(statement.execution_options(populate_existing=True))

    async def get_named(self, project_id: int, username: str) -> ProjectMember:
        statement = (
            self.scoped()
            .join(User, User.id == ProjectMember.user_id)
            .where(ProjectMember.project_id == project_id, User.username_key == name_key(username))
        )
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def list_owners(self, project_id: int) -> list[ProjectMember]:
        """All of them, also those who cannot act at the moment."""
        return list((await self.session.execute(self._owners(project_id))).scalars())

    async def list_acting_owners(self, project_id: int) -> list[ProjectMember]:
        """Those who can still act."""
        acting = self._owners(project_id).join(User, User.id == ProjectMember.user_id)
        return list((await self.session.execute(acting.where(can_own()))).scalars())

    def _owners(self, project_id: int) -> Select[ProjectMember]:
        return (
            self.scoped()
            .where(ProjectMember.project_id == project_id)
            .where(ProjectMember.role == ProjectRole.OWNER.value)
            .order_by(ProjectMember.user_id)
            .execution_options(populate_existing=True)
        )

    async def find_person(self, username: str) -> User | None:
        """Somebody who can be a member; the account stays as it is until the transaction ends."""
        statement = select(User).where(
            User.username_key == name_key(username),
            User.disabled_at.is_(None),
            User.deleted_at.is_(None),
        )
        found = await self.session.execute(
            statement.with_for_update(read=True).execution_options(populate_existing=True)
        )
        return found.scalars().one_or_none()
