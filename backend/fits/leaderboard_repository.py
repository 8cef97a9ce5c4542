"""Statements over leaderboards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from sqlalchemy import Float, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.fits.repository import FitRepository
from backend.fits.states import FitState
from backend.projects.service import visible_in_project
from backend.tables import DatasetVersion, Fit, Leaderboard

_DESCRIPTION: Final[tuple[ExecutableOption, ...]] = (
    joinedload(Leaderboard.creator),
    joinedload(Leaderboard.dataset),
    joinedload(Leaderboard.dataset_version).load_only(DatasetVersion.version, raiseload=True),
)
SORT_KEYS: Final = {
    "created_at": SortKey(Leaderboard.created_at, attrgetter("created_at")),
    "name": SortKey(Leaderboard.name, attrgetter("name")),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One fit of a leaderboard; `value` is its main metric, once it has one."""

    fit_id: int
    state: FitState
    value: float | None

    @property
    def is_scored(self) -> bool:
        """Whether it takes a place in the ranking."""
        return self.state is FitState.SUCCEEDED and self.value is not None


async def clock(session: AsyncSession) -> datetime:
    """The database's time at this moment, not at the beginning of the transaction."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


class LeaderboardRepository(ScopedRepository[Leaderboard]):
    """Leaderboards in projects that the viewer is a member of, without the trash."""

    noun = "leaderboard"

    def scoped(self) -> Select[Leaderboard]:
        return (
            select(Leaderboard)
            .where(visible_in_project(Leaderboard.project_id, self.viewer))
            .where(Leaderboard.trashed_at.is_(None))
        )

    async def get(self, leaderboard_id: int, *, for_update: bool = False) -> Leaderboard:
        statement = self.scoped().where(Leaderboard.id == leaderboard_id)
        if for_update:
            await self.lock_one(statement, Leaderboard.id)
        statement = statement.options(*_DESCRIPTION)
        return await self.get_one(statement.execution_options(populate_existing=True))

    async def page(
        self,
        page: PageRequest,
        signer: CursorSigner,
        *,
        project_id: int | None,
        dataset_id: int | None,
    ) -> tuple[list[Leaderboard], str | None]:
        statement = self.scoped().options(*_DESCRIPTION)
        if project_id is not None:
            statement = statement.where(Leaderboard.project_id == project_id)
        if dataset_id is not None:
            statement = statement.where(Leaderboard.dataset_id == dataset_id)
        return await fetch_page(
            self.session, statement, page, keys=SORT_KEYS, id_column=Leaderboard.id, signer=signer
        )

    async def list_entries(self, boards: Sequence[Leaderboard]) -> dict[int, list[Entry]]:
        """The fits of each, as far as the viewer may read them, the oldest first."""
        value = cast(Fit.metrics[Leaderboard.main_metric].astext, Float)
        statement = (
            FitRepository(self.session, self.viewer)
            .scoped()
            .join(Leaderboard, Leaderboard.id == Fit.leaderboard_id)
            .where(Leaderboard.id.in_([board.id for board in boards]))
            .order_by(Fit.id)
            .with_only_columns(Fit.leaderboard_id, Fit.id, Fit.state, value)
        )
        found: dict[int, list[Entry]] = {board.id: [] for board in boards}
        for board_id, fit_id, state, metric in await self.session.execute(statement):
            found[board_id].append(Entry(fit_id, FitState(state), metric))
        return found
