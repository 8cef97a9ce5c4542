"""Base of every repository: no statement without a viewer, so none without permission."""

from typing import Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.access import Viewer
from backend.core.errors import NotFound
from backend.tables.base import Table

Row = TypeVar("Row", bound=Table)


class ScopedRepository(Generic[Row]):
    """Reads rows of one table as one viewer; subclasses say in `scoped` what the viewer may see."""

    noun: str

    def __init__(self, session: AsyncSession, viewer: Viewer) -> None:
        self.session = session
        self.viewer = viewer

    def scoped(self) -> Select[Row]:
        """The statement that every other one starts from."""
        raise NotImplementedError

    async def find_one(self, statement: Select[Row]) -> Row | None:
        return (await self.session.execute(statement)).scalars().one_or_none()

    async def lock_one(self, statement: Select[Row], row_id: InstrumentedAttribute[int]) -> None:
        """Wait for the row and hold it until the transaction ends.

        A statement of its own, without joins: what is joined to a row that another transaction
        changed meanwhile would be of the state before that change.
        """
        await self.session.execute(statement.with_only_columns(row_id).with_for_update())

    async def get_one(self, statement: Select[Row]) -> Row:
        """Absent and not-yours are the same error, with the same words."""
        row = await self.find_one(statement)
        if row is None:
            raise self.absent()
        return row

    def absent(self) -> NotFound:
        """For what is not there, or not the viewer's."""
        return NotFound(f"There is no such {self.noun}, or it is not shared with you.")
