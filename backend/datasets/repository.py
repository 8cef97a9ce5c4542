"""Statements over datasets and their versions."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import ColumnElement, Select, false, func, select
from sqlalchemy.orm import contains_eager, defer, joinedload

from backend.core.access import ProjectRole
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.core.security import name_key
from backend.datasets.schemas import DatasetFilter
from backend.projects.service import visible_in_project
from backend.tables import Dataset, DatasetVersion, Fit, ProjectMember, User

# The latest version's columns are the dataset's.
SORT_KEYS = {
    "name": SortKey(Dataset.name, attrgetter("name")),
    "created_at": SortKey(Dataset.created_at, attrgetter("created_at")),
    "updated_at": SortKey(DatasetVersion.created_at, attrgetter("latest.created_at")),
    "rows": SortKey(DatasetVersion.rows, attrgetter("latest.rows")),
    "bytes": SortKey(DatasetVersion.bytes, attrgetter("latest.bytes")),
}
TRASH_SORT_KEYS = {**SORT_KEYS, "trashed_at": SortKey(Dataset.trashed_at, attrgetter("trashed_at"))}
VERSION_SORT_KEYS = {
    "version": SortKey(DatasetVersion.version, attrgetter("version")),
    "created_at": SortKey(DatasetVersion.created_at, attrgetter("created_at")),
}
_EDITORS = (ProjectRole.OWNER.value, ProjectRole.EDITOR.value)


class DatasetRepository(ScopedRepository[Dataset]):
    """Datasets in projects that the viewer is a member of, without the trash."""

    noun = "dataset"
    sort_keys = SORT_KEYS

    def _visible(self) -> Select[Dataset]:
        return select(Dataset).where(
            visible_in_project(Dataset.project_id, self.viewer), self._is_shown()
        )

    def _is_shown(self) -> ColumnElement[bool]:
        return Dataset.trashed_at.is_(None)

    def scoped(self) -> Select[Dataset]:
        return (
            self._visible()
            .join(Dataset.creator)
            .join(Dataset.latest)
            .options(
                contains_eager(Dataset.creator),
                contains_eager(Dataset.latest).options(
                    defer(DatasetVersion.columns, raiseload=True),
                    joinedload(DatasetVersion.profile),
                ),
            )
        )

    def _listed(self) -> Select[Dataset]:
        """What a list shows."""
        return self.scoped()

    async def get(self, dataset_id: int, *, for_update: bool = False) -> Dataset:
        return await self.get_one(await self._one(dataset_id, for_update))

    async def find(self, dataset_id: int, *, for_update: bool = False) -> Dataset | None:
        return await self.find_one(await self._one(dataset_id, for_update))

    async def _one(self, dataset_id: int, for_update: bool) -> Select[Dataset]:
        if for_update:
            await self.lock_one(self._visible().where(Dataset.id == dataset_id), Dataset.id)
        statement = self.scoped().where(Dataset.id == dataset_id)
        return statement.execution_options(populate_existing=True)

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: DatasetFilter
    ) -> tuple[list[Dataset], str | None]:
        mine = self.viewer.user_id if filter_by.mine else None
        maker = None if filter_by.created_by is None else name_key(filter_by.created_by)
        conditions = (
            (Dataset.project_id, filter_by.project_id),
            (Dataset.kind, filter_by.kind),
            (Dataset.created_by, mine),
            (User.username_key, maker),
        )
        statement = self._listed().where(
            *(column == value for column, value in conditions if value is not None)
        )
        if filter_by.name_contains:
            statement = statement.where(
                Dataset.name.icontains(filter_by.name_contains, autoescape=True)
            )
        return await fetch_page(
            self.session, statement, page, keys=self.sort_keys, id_column=Dataset.id, signer=signer
        )

    async def count_fits(self, dataset_ids: Sequence[int]) -> dict[int, int]:
        """Fits of these datasets that the viewer may read; one statement for a page."""
        statement = (
            select(Fit.dataset_id, func.count())
            .where(visible_in_project(Fit.project_id, self.viewer))
            .where(Fit.trashed_at.is_(None), Fit.dataset_id.in_(dataset_ids))
            .group_by(Fit.dataset_id)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}


class TrashRepository(DatasetRepository):
    """Datasets in the trash that are still whole; who may only read does not list them."""

    noun = "dataset in the trash"
    sort_keys = TRASH_SORT_KEYS

    def _is_shown(self) -> ColumnElement[bool]:
        return Dataset.trashed_at.is_not(None) & Dataset.purged_at.is_(None)

    def _listed(self) -> Select[Dataset]:
        if self.viewer.sees_everything:
            return self.scoped()
        editable = select(ProjectMember.project_id).where(
            ProjectMember.user_id == self.viewer.user_id, ProjectMember.role.in_(_EDITORS)
        )
        may_restore = Dataset.project_id.in_(editable) if self.viewer.may_write else false()
        return self.scoped().where(may_restore)

    async def find_editable(self, dataset_id: int) -> Dataset | None:
        """One that the viewer could restore."""
        return await self.find_one(self._listed().where(Dataset.id == dataset_id))


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

    async def chain(self, dataset_id: int, version: int) -> list[DatasetVersion]:
        """A version after all that recipes made it from, the upload first; columns are left out."""
        made = (
            select(DatasetVersion.id, DatasetVersion.origin, DatasetVersion.parent_version)
            .where(DatasetVersion.dataset_id == dataset_id, DatasetVersion.version == version)
            .cte(recursive=True)
        )
        parents = (
            select(DatasetVersion.id, DatasetVersion.origin, DatasetVersion.parent_version)
            .join(made, DatasetVersion.version == made.c.parent_version)
            .where(DatasetVersion.dataset_id == dataset_id, made.c.origin == "recipe")
        )
        statement = (
            self.scoped()
            .where(DatasetVersion.id.in_(select(made.union_all(parents).c.id)))
            .options(defer(DatasetVersion.columns, raiseload=True))
            .order_by(DatasetVersion.version)
        )
        rows = list((await self.session.execute(statement)).scalars())
        if not rows:
            raise self.absent()
        return rows

    async def page_of(
        self, dataset_id: int, page: PageRequest, signer: CursorSigner
    ) -> tuple[list[DatasetVersion], str | None]:
        """Versions of a dataset, without the descriptions of their columns."""
        statement = (
            self.scoped()
            .where(DatasetVersion.dataset_id == dataset_id)
            .options(defer(DatasetVersion.columns, raiseload=True))
        )
        return await fetch_page(
            self.session,
            statement,
            page,
            keys=VERSION_SORT_KEYS,
            id_column=DatasetVersion.id,
            signer=signer,
        )
