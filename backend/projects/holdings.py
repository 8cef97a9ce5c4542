"""What would be nobody's if an account went."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from backend.core.access import SYSTEM, ProjectRole
from backend.projects.repository import ProjectRepository, can_own
from backend.tables import Project, ProjectMember, User


@dataclass(frozen=True, slots=True)
class Holding:
    """A project without another owner, and how much is in it."""

    project: Project
    members: int
    datasets: int
    fits: int
    models: int

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.datasets or self.fits or self.models) and self.members <= 1


async def holdings(session: AsyncSession, user_id: int) -> list[Holding]:
    """Projects that this account owns and nobody else who can still act."""
    own, other = aliased(ProjectMember), aliased(ProjectMember)
    another_owner = (
        select(other.user_id)
        .join(User, User.id == other.user_id)
        .where(other.project_id == Project.id, other.user_id != user_id)
        .where(other.role == ProjectRole.OWNER.value)
        .where(can_own())
        .exists()
    )
    projects = ProjectRepository(session, SYSTEM)
    statement = (
        projects.scoped()
        .join(own, own.project_id == Project.id)
        .where(own.user_id == user_id, own.role == ProjectRole.OWNER.value, ~another_owner)
        .order_by(Project.id)
    )
    rows = list((await session.execute(statement)).scalars())
    contents = await projects.contents([row.id for row in rows])
    return [
        Holding(
            project=row,
            members=contents[row.id].members,
            datasets=contents[row.id].datasets,
            fits=contents[row.id].fits,
            models=contents[row.id].models,
        )
        for row in rows
    ]
