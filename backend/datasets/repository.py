"""Statements over datasets and their versions."""

from operator import attrgetter

from sqlalchemy import Select, select
from sqlalchemy.orm import defer, joinedload

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.datasets.schemas import DatasetFilter
from backend.projects.service import visible_in_project
from backend.tables import Dataset, DatasetVersion

SORT_KEYS = {
    "created_at": SortKey(Dataset.created_at, attrgetter("created_at")),
    "name": SortKey(Dataset.name, attrgetter("name")),
}


class DatasetRepository(ScopedRepository[Dataset]):
    """Datasets in projects that the viewer is a member of, without the trash."""

    noun = "dataset"

    def scoped(self) -> Select[Dataset]:
        return (
            select(Dataset)
            .where(visible_in_project(Dataset.project_id, self.viewer))
            .where(Dataset.trashed_at.is_(None))
            .options(
                joinedload(Dataset.creator),
                joinedload(Dataset.latest).options(
                    defer(DatasetVersion.columns, raiseload=True),
                    joinedload(DatasetVersion.profile),
                ),
            )
        )

    async def get(self, dataset_id: int, *, for_update: bool = False) -> Dataset:
        statement = self.scoped().where(Dataset.id == dataset_id)
        if for_update:
            await self.lock_one(statement, Dataset.id)
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: DatasetFilter
    ) -> tuple[list[Dataset], str | None]:
        statement = self.scoped()
        if filter_by.project_id is not None:
            statement = statement.where(Dataset.project_id == filter_by.project_id)
        if filter_by.name_contains:
            statement = statement.where(
                Dataset.name.icontains(filter_by.name_contains, autoescape=True)
            )
        if filter_by.mine:
            statement = statement.where(Dataset.created_by == self.viewer.user_id)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Dataset.id, signer=signer
        )


class VersionRepository(ScopedRepository[DatasetVersion]):
    """Versions of the datasets that the viewer may read."""

    noun = "dataset version"

    def scoped(self) -> Select[DatasetVersion]:
        return (
            select(DatasetVersion)
            .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
            .where(visible_in_project(Dataset.project_id, self.viewer))
            .where(Dataset.trashed_at.is_(None))
            .options(joinedload(DatasetVersion.creator), joinedload(DatasetVersion.profile))
        )

    async def get(self, dataset_id: int, version: int) -> DatasetVersion:
        return await self.get_one(
            self.scoped().where(
                DatasetVersion.dataset_id == dataset_id, DatasetVersion.version == version
            )
        )

    async def list_of(self, dataset_id: int) -> list[DatasetVersion]:
        statement = (
            self.scoped()
            .where(DatasetVersion.dataset_id == dataset_id)
            .order_by(DatasetVersion.version.desc())
        )
        return list((await self.session.execute(statement)).scalars())
