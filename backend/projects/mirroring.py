"""Who may read a project in MLflow: its members, and nobody else a moment after they changed."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.tables import Model, Project, ProjectMember, User
from backend.tracking.sharing import SharedProject


@dataclass(frozen=True, slots=True)
class Readership:
    """A project's slug, which names its experiment, and who reads it.

    Attributes
    ----------
    revision
        The state of the members that this is.
    """

    project_id: int
    slug: str
    names: list[str]
    revision: int
    is_trashed: bool = False


async def project_readers(session: AsyncSession, project_id: int) -> Readership:
    """The members of a project; nobody reads what is in the trash."""
    # Without a repository: projects in the trash are no repository's.
    project = await session.get_one(Project, project_id, populate_existing=True)
    members = (
        select(User.username)
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == project_id, User.deleted_at.is_(None))
        .order_by(User.username)
    )
    names = [] if project.trashed_at else list((await session.execute(members)).scalars())
    is_trashed = project.trashed_at is not None
    return Readership(project.id, project.slug, names, project.revision, is_trashed)


async def share_again(session: AsyncSession, told: Readership) -> None:
    """Tell MLflow once more where the members changed while something was recorded.

    Whoever left in between was given back what had been taken a moment before.
    """
    await session.execute(
        update(Project)
        .where(Project.id == told.project_id, Project.revision != told.revision)
        .values(mirrored_revision=0)
    )


async def members_changed(session: AsyncSession, project_ids: Collection[int]) -> None:
    """Tell MLflow about these projects again: what belongs to them has changed.

    One that somebody else changes at this moment is told again anyway; waiting for it could be
    waiting for each other.
    """
    free = (
        select(Project.id)
        .where(Project.id.in_(project_ids))
        .order_by(Project.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    found = (await session.execute(free)).scalars().all()
    await session.execute(
        update(Project).where(Project.id.in_(found)).values(revision=Project.revision + 1)
    )


async def list_behind(session: AsyncSession) -> list[int]:
    """Projects whose members MLflow does not know yet."""
    behind = select(Project.id).where(Project.revision != Project.mirrored_revision)
    return list((await session.execute(behind.order_by(Project.id))).scalars())


async def list_settled(session: AsyncSession) -> list[SharedProject]:
    """What MLflow should show of each project that it was told of, and to whom."""
    readers = (
        select(func.array_agg(User.username))
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == Project.id, User.deleted_at.is_(None))
        .where(Project.trashed_at.is_(None))
        .scalar_subquery()
    )
    models = (
        select(func.array_agg(Model.mlflow_name))
        .where(Model.project_id == Project.id)
        .scalar_subquery()
    )
    statement = (
        select(Project.slug, readers.label("readers"), models.label("models"))
        .where(Project.revision == Project.mirrored_revision)
        .order_by(Project.id)
    )
    return [
        SharedProject(row.slug, tuple(row.models or ()), frozenset(row.readers or ()))
        for row in await session.execute(statement)
    ]


async def share_slugs_again(session: AsyncSession, slugs: Collection[str]) -> None:
    """Tell MLflow the members of these projects once more."""
    await session.execute(
        update(Project).where(Project.slug.in_(slugs)).values(mirrored_revision=0)
    )


async def model_names(session: AsyncSession, project_id: int) -> list[str]:
    """Names of the project's models in MLflow's registry, whether they are there or not."""
    statement = select(Model.mlflow_name).where(Model.project_id == project_id).order_by(Model.id)
    return list((await session.execute(statement)).scalars())


async def store_shared(session: AsyncSession, shown: Readership) -> None:
    """MLflow knows the members of this revision."""
    await session.execute(
        update(Project)
        .where(Project.id == shown.project_id)
        .values(mirrored_revision=shown.revision)
    )
