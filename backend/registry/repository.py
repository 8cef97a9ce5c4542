"""Statements over models, their versions and aliases."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.projects.service import visible_in_project
from backend.registry.schemas import ModelFilter
from backend.tables import (
    AliasChange,
    Dataset,
    DatasetVersion,
    Fit,
    Model,
    ModelAlias,
    ModelVersion,
)

SORT_KEYS = {
    "created_at": SortKey(Model.created_at, attrgetter("created_at")),
    "name": SortKey(Model.name, attrgetter("name")),
}
CHANGE_SORT_KEYS = {
    "changed_at": SortKey(AliasChange.changed_at, attrgetter("changed_at")),
}
_POINTED_AT = and_(
    ModelAlias.model_id == ModelVersion.model_id,
    ModelAlias.version == ModelVersion.version,
)
_VERSION_DETAILS: tuple[ExecutableOption, ...] = (
    joinedload(ModelVersion.creator),
    joinedload(ModelVersion.fit).joinedload(Fit.dataset),
    joinedload(ModelVersion.fit)
    .joinedload(Fit.dataset_version)
    .load_only(
        DatasetVersion.version,
        DatasetVersion.content_digest,
        DatasetVersion.recipe,
        raiseload=True,
    ),
)


class ModelRepository(ScopedRepository[Model]):
    """Models in projects that the viewer is a member of, without the trash."""

    noun = "model"

    def scoped(self) -> Select[Model]:
        return (
            select(Model)
            .where(visible_in_project(Model.project_id, self.viewer))
            .where(Model.trashed_at.is_(None))
        )

    def _described(self) -> Select[Model]:
        latest = joinedload(Model.latest).joinedload(ModelVersion.fit)
        return self.scoped().options(
            joinedload(Model.creator),
            selectinload(Model.aliases),
            latest.load_only(Fit.task, Fit.target, raiseload=True),
            latest.joinedload(Fit.dataset).load_only(Dataset.kind, raiseload=True),
        )

    async def get(self, model_id: int, *, for_update: bool = False) -> Model:
        if for_update:
            await self.lock_one(self.scoped().where(Model.id == model_id), Model.id)
        statement = self._described().where(Model.id == model_id)
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def find_named(self, project_id: int, name: str) -> Model | None:
        statement = self.scoped().where(
            Model.project_id == project_id, func.lower(Model.name) == name.lower()
        )
        return await self.find_one(statement)

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: ModelFilter
    ) -> tuple[list[Model], str | None]:
        statement = self._described()
        if filter_by.project_id is not None:
            statement = statement.where(Model.project_id == filter_by.project_id)
        if filter_by.name_contains:
            statement = statement.where(
                Model.name.icontains(filter_by.name_contains, autoescape=True)
            )
        if filter_by.mine:
            statement = statement.where(Model.created_by == self.viewer.user_id)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Model.id, signer=signer
        )


class ModelVersionRepository(ScopedRepository[ModelVersion]):
    """Versions of the models that the viewer may read; their fits count also in the trash."""

    noun = "model version"

    def scoped(self) -> Select[ModelVersion]:
        return (
            select(ModelVersion)
            .join(Model, Model.id == ModelVersion.model_id)
            .where(visible_in_project(Model.project_id, self.viewer))
            .where(Model.trashed_at.is_(None))
        )

    def _of(self, model_id: int) -> Select[ModelVersion]:
        statement = self.scoped().where(ModelVersion.model_id == model_id)
        return statement.options(*_VERSION_DETAILS).execution_options(populate_existing=True)

    async def get(self, model_id: int, version: int) -> ModelVersion:
        return await self.get_one(self._of(model_id).where(ModelVersion.version == version))

    async def list_of(self, model_id: int) -> list[ModelVersion]:
        """All versions, the latest first."""
        statement = self._of(model_id).order_by(ModelVersion.version.desc())
        return list((await self.session.execute(statement)).scalars())

    async def find_of_fit(self, model_id: int, fit_id: int) -> ModelVersion | None:
        return await self.find_one(self._of(model_id).where(ModelVersion.fit_id == fit_id))

    async def find_pointed_at(self, model_id: int, alias: str) -> tuple[int, int] | None:
        """Version and fit that an alias points at: all that most predictions have to look up."""
        statement = (
            self.scoped()
            .with_only_columns(ModelVersion.version, ModelVersion.fit_id)
            .join(ModelAlias, _POINTED_AT)
            .where(ModelAlias.model_id == model_id, ModelAlias.alias == alias)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else (row.version, row.fit_id)

    async def metrics_of(self, model_ids: Collection[int], alias: str) -> Sequence[Any]:
        """The versions that an alias points at, as (model_id, version, metrics)."""
        statement = (
            self.scoped()
            .with_only_columns(ModelVersion.model_id, ModelVersion.version, Fit.metrics)
            .join(ModelAlias, _POINTED_AT)
            .join(Fit, Fit.id == ModelVersion.fit_id)
            .where(ModelAlias.model_id.in_(model_ids), ModelAlias.alias == alias)
        )
        return (await self.session.execute(statement)).all()

    async def get_results(self, model_id: int, version: int) -> ModelVersion:
        """A version with what its fit left, and nothing else."""
        statement = self.scoped().where(
            ModelVersion.model_id == model_id, ModelVersion.version == version
        )
        results = joinedload(ModelVersion.fit).load_only(Fit.artifacts, Fit.outcome, raiseload=True)
        return await self.get_one(statement.options(results))


class AliasChangeRepository(ScopedRepository[AliasChange]):
    """The history of the aliases of models that the viewer may read."""

    noun = "alias"

    def scoped(self) -> Select[AliasChange]:
        return (
            select(AliasChange)
            .join(Model, Model.id == AliasChange.model_id)
            .where(visible_in_project(Model.project_id, self.viewer))
            .where(Model.trashed_at.is_(None))
            .options(joinedload(AliasChange.author))
        )

    async def page(
        self, page: PageRequest, signer: CursorSigner, model_id: int, alias: str | None
    ) -> tuple[list[AliasChange], str | None]:
        statement = self.scoped().where(AliasChange.model_id == model_id)
        if alias is not None:
            statement = statement.where(AliasChange.alias == alias)
        return await fetch_page(
            self.session,
            statement,
            page,
            keys=CHANGE_SORT_KEYS,
            id_column=AliasChange.id,
            signer=signer,
        )

    async def moves(self, model_ids: Collection[int], alias: str) -> Sequence[Any]:
        """All moves of one alias as (model_id, kind, to_version), the oldest first."""
        statement = (
            self.scoped()
            .with_only_columns(AliasChange.model_id, AliasChange.kind, AliasChange.to_version)
            .where(AliasChange.model_id.in_(model_ids), AliasChange.alias == alias)
            .order_by(AliasChange.id)
        )
        return (await self.session.execute(statement)).all()
