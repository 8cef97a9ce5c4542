"""Statements over fits; lists are in `listing.py`."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import joinedload, with_expression
from sqlalchemy.sql.base import ExecutableOption

from backend.core.repository import ScopedRepository
from backend.fits.states import FINAL_STATES
from backend.projects.service import visible_in_project
from backend.tables import DatasetVersion, Fit, FitStar, Model, ModelVersion

RESTORED_AT_ONCE = 200
_DESCRIPTION: tuple[ExecutableOption, ...] = (
    joinedload(Fit.creator),
    joinedload(Fit.dataset),
    joinedload(Fit.dataset_version).load_only(
        DatasetVersion.version, DatasetVersion.content_digest, raiseload=True
    ),
)


class FitRepository(ScopedRepository[Fit]):
    """Fits in projects that the viewer is a member of, without the trash."""

    noun = "fit"

    def scoped(self) -> Select[Fit]:
        return (
            select(Fit)
            .where(visible_in_project(Fit.project_id, self.viewer))
            .where(self._is_shown())
        )

    def _is_shown(self) -> ColumnElement[bool]:
        return Fit.trashed_at.is_(None)

    def _described(self) -> Select[Fit]:
        """With the names that are shown beside a fit, and the viewer's star."""
        starred = exists().where(FitStar.fit_id == Fit.id, FitStar.user_id == self.viewer.user_id)
        return self.scoped().options(*_DESCRIPTION, with_expression(Fit.starred, starred))

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

    async def lock_all(self, fit_ids: Sequence[int]) -> list[Fit]:
        """These fits, held in one order by everybody until the transaction ends."""
        chosen = self.scoped().where(Fit.id.in_(fit_ids))
        lock = chosen.with_only_columns(Fit.id).order_by(Fit.id).with_for_update(of=Fit)
        await self.session.execute(lock)
        statement = self._described().where(Fit.id.in_(fit_ids)).order_by(Fit.id)
        rows = await self.session.execute(statement.execution_options(populate_existing=True))
        return list(rows.scalars())

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


class TrashRepository(FitRepository):
    """Fits in the trash."""

    noun = "fit in the trash"

    def _is_shown(self) -> ColumnElement[bool]:
        return Fit.trashed_at.is_not(None)
