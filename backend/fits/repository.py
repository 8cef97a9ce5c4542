"""Statements over fits."""

from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, cast, func, select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.fits.schemas import FitFilter
from backend.fits.states import FINAL_STATES
from backend.projects.service import visible_in_project
from backend.science.metrics import METRICS
from backend.tables import DatasetVersion, Fit, Model, ModelVersion


def _metric_key(name: str) -> SortKey:
    column: ColumnElement[Any] = cast(Fit.metrics[name].astext, Float)
    return SortKey(column, lambda fit: fit.metrics.get(name), nullable=True)


RESTORED_AT_ONCE = 200
_DESCRIPTION: tuple[ExecutableOption, ...] = (
    joinedload(Fit.creator),
    joinedload(Fit.dataset),
    joinedload(Fit.dataset_version).load_only(
        DatasetVersion.version, DatasetVersion.content_digest, raiseload=True
    ),
)
SORT_KEYS = {
    "created_at": SortKey(Fit.created_at, attrgetter("created_at")),
    "name": SortKey(Fit.name, attrgetter("name")),
    "estimator": SortKey(Fit.estimator, attrgetter("estimator")),
    "finished_at": SortKey(Fit.finished_at, attrgetter("finished_at"), nullable=True),
    **{f"metrics.{name}": _metric_key(name) for name in METRICS},
}


class FitRepository(ScopedRepository[Fit]):
    """Fits in projects that the viewer is a member of, without the trash."""

    noun = "fit"

    def scoped(self) -> Select[Fit]:
        return (
            select(Fit)
            .where(visible_in_project(Fit.project_id, self.viewer))
            .where(Fit.trashed_at.is_(None))
        )

    def _described(self) -> Select[Fit]:
        """With the names that are shown beside a fit."""
        return self.scoped().options(*_DESCRIPTION)

    async def get_results(self, fit_id: int) -> Fit:
        """A fit for its results alone: plots are asked for often and need no names."""
        return await self.get_one(self.scoped().where(Fit.id == fit_id))

    async def get(self, fit_id: int, *, for_update: bool = False) -> Fit:
        statement = self._described().where(Fit.id == fit_id)
        if for_update:
            # First: one that was moved while this waited is seen as what it is then.
            lock = self.scoped().where(Fit.id == fit_id).with_only_columns(Fit.id)
            await self.session.execute(lock.with_for_update(of=Fit))
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def find(self, fit_id: int, *, for_update: bool = False) -> Fit | None:
        statement = self._described().where(Fit.id == fit_id)
        if for_update:
            statement = statement.with_for_update(of=Fit)
        return await self.find_one(statement.execution_options(populate_existing=True))

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: FitFilter
    ) -> tuple[list[Fit], str | None]:
        conditions = {
            Fit.project_id: filter_by.project_id,
            Fit.dataset_id: filter_by.dataset_id,
            Fit.state: filter_by.state,
            Fit.estimator: filter_by.estimator,
            Fit.created_by: self.viewer.user_id if filter_by.mine else None,
        }
        wanted = [column == value for column, value in conditions.items() if value is not None]
        statement = self._described().where(*wanted)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Fit.id, signer=signer
        )

    async def list_unfinished(self) -> list[Fit]:
        """The oldest fits that wait or run."""
        statement = self.scoped().where(Fit.state.in_(("queued", "running")))
        return await self._oldest(statement)

    async def list_unrecorded(self) -> list[Fit]:
        """The oldest fits that MLflow was not told of."""
        return await self._oldest(self._recordable().where(Fit.tracking == "pending"))

    async def find_recordable(self, fit_id: int) -> Fit | None:
        """A fit that MLflow shows: one that succeeded, in the trash only as a model's version."""
        statement = self._recordable().where(Fit.id == fit_id).options(*_DESCRIPTION)
        return await self.find_one(statement.execution_options(populate_existing=True))

    def _recordable(self) -> Select[Fit]:
        served = (
            select(ModelVersion.fit_id)
            .join(Model, Model.id == ModelVersion.model_id)
            .where(ModelVersion.fit_id == Fit.id, Model.trashed_at.is_(None))
            .exists()
        )
        return (
            select(Fit)
            .where(visible_in_project(Fit.project_id, self.viewer))
            .where(Fit.state == "succeeded", Fit.trashed_at.is_(None) | served)
        )

    async def _oldest(self, statement: Select[Fit]) -> list[Fit]:
        limited = statement.order_by(Fit.id).limit(RESTORED_AT_ONCE)
        return list((await self.session.execute(limited)).scalars())

    async def count_active(self) -> int:
        """The viewer's own fits that are not finished."""
        statement = (
            select(func.count())
            .select_from(Fit)
            .where(Fit.created_by == self.viewer.user_id)
            .where(Fit.state.not_in([state.value for state in FINAL_STATES]))
        )
        return (await self.session.execute(statement)).scalar_one()
