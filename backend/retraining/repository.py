"""Statements over retrainings and their policies."""

from operator import attrgetter
from typing import Any

from sqlalchemy import Select, case, func, select, true
from sqlalchemy.orm import contains_eager, joinedload

from backend.core.access import SYSTEM
from backend.core.errors import Absent
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.fits.states import FINAL_STATES, FitState
from backend.projects.service import visible_in_project
from backend.retraining.schemas import RetrainingFilter
from backend.retraining.states import ACTIVE, State
from backend.tables import Dataset, DatasetVersion, Fit, Model, Retraining, RetrainingPolicy

SORT_KEYS = {
    "created_at": SortKey(Retraining.created_at, attrgetter("created_at")),
    "finished_at": SortKey(Retraining.finished_at, attrgetter("finished_at"), nullable=True),
}
RESTORED_AT_ONCE = 100
# It runs from the moment that its fit does, which is known to the fit's row.
SHOWN_STATE = case(
    (
        (Retraining.state == State.QUEUED.value) & (Fit.state == FitState.RUNNING.value),
        State.RUNNING.value,
    ),
    else_=Retraining.state,
)


class RetrainingRepository(ScopedRepository[Retraining]):
    """Retrainings of models that the viewer may read."""

    noun = "retraining"

    def scoped(self) -> Select[Retraining]:
        version = contains_eager(Retraining.fit).joinedload(Fit.dataset_version)
        # The worker has to end what it began, also when the model went to the trash meanwhile.
        shown = true() if self.viewer is SYSTEM else Model.trashed_at.is_(None)
        return (
            select(Retraining)
            .join(Model, Model.id == Retraining.model_id)
            .join(Fit, Fit.id == Retraining.fit_id)
            .where(visible_in_project(Model.project_id, self.viewer), shown)
            .options(
                contains_eager(Retraining.model),
                contains_eager(Retraining.fit).joinedload(Fit.dataset),
                version.load_only(DatasetVersion.version, raiseload=True),
                joinedload(Retraining.requester),
                joinedload(Retraining.decider),
            )
        )

    async def get(self, retraining_id: int, *, for_update: bool = False) -> Retraining:
        return await self.get_one(self._one(Retraining.id == retraining_id, for_update))

    async def find_of_fit(self, fit_id: int) -> Retraining | None:
        return await self.find_one(self._one(Retraining.fit_id == fit_id, for_update=True))

    def _one(self, condition: Any, for_update: bool) -> Select[Retraining]:
        statement = self.scoped().where(condition)
        if for_update:
            statement = statement.with_for_update(of=Retraining)
        return statement.execution_options(populate_existing=True)

    async def page(
        self, page: PageRequest, signer: CursorSigner, filter_by: RetrainingFilter
    ) -> tuple[list[Retraining], str | None]:
        conditions: dict[Any, Any] = {
            Retraining.model_id: filter_by.model_id,
            Model.project_id: filter_by.project_id,
            SHOWN_STATE: filter_by.state,
        }
        wanted = [column == value for column, value in conditions.items() if value is not None]
        statement = self.scoped().where(*wanted)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Retraining.id, signer=signer
        )

    async def find_active(self, model_id: int) -> Retraining | None:
        states = [state.value for state in ACTIVE]
        statement = self.scoped().where(
            Retraining.model_id == model_id, Retraining.state.in_(states)
        )
        return await self.find_one(statement.limit(1))

    async def list_left_behind(self) -> list[Retraining]:
        """Unfinished ones whose fit has ended: their job should be in the queue."""
        statement = (
            self.scoped()
            .where(Retraining.state.in_([state.value for state in ACTIVE]))
            .where(Fit.state.in_([state.value for state in FINAL_STATES]))
            .order_by(Retraining.id)
            .limit(RESTORED_AT_ONCE)
        )
        return list((await self.session.execute(statement)).scalars())


class PolicyRepository(ScopedRepository[RetrainingPolicy]):
    """Policies of models that the viewer may read."""

    noun = "retraining policy"

    def scoped(self) -> Select[RetrainingPolicy]:
        return (
            select(RetrainingPolicy)
            .join(Model, Model.id == RetrainingPolicy.model_id)
            .join(Dataset, Dataset.id == RetrainingPolicy.dataset_id)
            .where(visible_in_project(Model.project_id, self.viewer))
            .where(Model.trashed_at.is_(None))
            .options(joinedload(RetrainingPolicy.author), contains_eager(RetrainingPolicy.dataset))
        )

    async def get(self, model_id: int) -> RetrainingPolicy:
        """The policy of a model that the caller was found to see."""
        policy = await self.find(model_id)
        if policy is None:
            raise Absent("There is no such retraining policy, or it is not shared with you.")
        return policy

    async def find(self, model_id: int) -> RetrainingPolicy | None:
        return await self.find_one(self._of(model_id))

    def _of(self, model_id: int) -> Select[RetrainingPolicy]:
        statement = self.scoped().where(RetrainingPolicy.model_id == model_id)
        return statement.execution_options(populate_existing=True)

    def _due(self) -> Select[RetrainingPolicy]:
        return self.scoped().where(RetrainingPolicy.next_run_at <= func.now())

    async def find_due_model(self) -> int | None:
        """A model whose time has come."""
        statement = (
            self._due()
            .with_only_columns(RetrainingPolicy.model_id)
            .order_by(RetrainingPolicy.next_run_at)
            .limit(1)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def find_due(self, model_id: int) -> RetrainingPolicy | None:
        """The policy of a model, if its time has come and nobody else moved it on."""
        statement = self._due().where(RetrainingPolicy.model_id == model_id)
        return await self.find_one(statement.execution_options(populate_existing=True))
