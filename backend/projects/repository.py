"""Statements over projects; the one permission predicate that all slices share."""

from operator import attrgetter

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.access import ProjectRole, Viewer
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.tables import Project, ProjectMember

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


class ProjectRepository(ScopedRepository[Project]):
    """Projects that the viewer is a member of."""

    noun = "project"

    def scoped(self) -> Select[Project]:
        return select(Project).where(visible_in_project(Project.id, self.viewer))

    async def get(self, project_id: int) -> Project:
        return await self.get_one(self.scoped().where(Project.id == project_id))

    async def find_personal(self) -> Project | None:
        statement = self.scoped().where(Project.personal, Project.created_by == self.viewer.user_id)
        return await self.find_one(statement)

    async def page(
        self, page: PageRequest, signer: CursorSigner
    ) -> tuple[list[Project], str | None]:
        return await fetch_page(
            self.session, self.scoped(), page, keys=SORT_KEYS, id_column=Project.id, signer=signer
        )

    async def roles(self, project_ids: list[int]) -> dict[int, ProjectRole]:
        """The viewer's own role in each of these projects."""
        statement = select(ProjectMember.project_id, ProjectMember.role).where(
            ProjectMember.user_id == self.viewer.user_id, ProjectMember.project_id.in_(project_ids)
        )
        return {row[0]: ProjectRole(row[1]) for row in await self.session.execute(statement)}
