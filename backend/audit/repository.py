"""Statements over the audit; the newest first, in the order in which it was written."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select

from backend.audit.schemas import AuditFilter
from backend.core.pagination import CursorSigner
from backend.core.repository import ScopedRepository
from backend.core.security import name_key
from backend.tables import AuditEvent, User

SORT: Final = "-at"


def _by_actor(name: str) -> ColumnElement[bool]:
    """What an account did, or somebody who tried a name like that."""
    key = name_key(name)
    account = select(User.id).where(User.username_key == key)
    # Whoever was not signed in has a name that was typed, as it was typed.
    typed = func.lower(func.normalize(AuditEvent.actor_name, literal_column("NFKC")))
    nobody = and_(AuditEvent.actor_id.is_(None), typed == key)
    return or_(AuditEvent.actor_id.in_(account), nobody)


def _wanted(filter_by: AuditFilter) -> list[ColumnElement[bool]]:
    equal: Mapping[Any, Any] = {
        AuditEvent.action: filter_by.action,
        AuditEvent.outcome: filter_by.outcome,
        AuditEvent.object_type: filter_by.object_type,
        AuditEvent.object_id: filter_by.object_id,
        AuditEvent.project_id: filter_by.project_id,
        AuditEvent.address: filter_by.address,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if filter_by.actor is not None:
        conditions.append(_by_actor(filter_by.actor))
    if filter_by.since is not None:
        conditions.append(AuditEvent.at >= filter_by.since)
    if filter_by.until is not None:
        conditions.append(AuditEvent.at < filter_by.until)
    return conditions


class AuditRepository(ScopedRepository[AuditEvent]):
    """Administrators read everything, others what they did and what was done to their account."""

    noun = "event"

    def scoped(self) -> Select[AuditEvent]:
        return select(AuditEvent) if self.viewer.sees_everything else self._own()

    def _own(self) -> Select[AuditEvent]:
        mine = or_(
            AuditEvent.actor_id == self.viewer.user_id,
            and_(AuditEvent.object_type == "user", AuditEvent.object_id == self.viewer.user_id),
        )
        statement = select(AuditEvent).where(mine)
        if self.viewer.project_id is not None:
            statement = statement.where(AuditEvent.project_id == self.viewer.project_id)
        return statement

    async def page(
        self, filter_by: AuditFilter, *, limit: int, cursor: str | None, signer: CursorSigner
    ) -> tuple[list[AuditEvent], str | None]:
        statement = self.scoped().where(*_wanted(filter_by))
        return await self._page(statement, limit, cursor, signer)

    async def page_own(
        self, filter_by: AuditFilter, *, limit: int, cursor: str | None, signer: CursorSigner
    ) -> tuple[list[AuditEvent], str | None]:
        """The caller's own history, also of an administrator."""
        statement = self._own().where(*_wanted(filter_by))
        if filter_by.address is not None:
            # Where others sit is not told, so it cannot be found out by asking either.
            statement = statement.where(AuditEvent.actor_id == self.viewer.user_id)
        return await self._page(statement, limit, cursor, signer)

    async def _page(
        self, statement: Select[AuditEvent], limit: int, cursor: str | None, signer: CursorSigner
    ) -> tuple[list[AuditEvent], str | None]:
        before = None if cursor is None else signer.decode(cursor, SORT)[1]
        rows = await self._older(statement, before, limit + 1)
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], signer.encode(SORT, last.at, last.id)

    async def list_older(
        self, filter_by: AuditFilter, before: int | None, limit: int
    ) -> list[AuditEvent]:
        """The next rows behind one; all from the newest on where none is named."""
        return await self._older(self.scoped().where(*_wanted(filter_by)), before, limit)

    async def _older(
        self, statement: Select[AuditEvent], before: int | None, limit: int
    ) -> list[AuditEvent]:
        # By id alone, which an index has; ids and moments come in the same order.
        if before is not None:
            statement = statement.where(AuditEvent.id < before)
        statement = statement.order_by(AuditEvent.id.desc()).limit(limit)
        return list((await self.session.execute(statement)).scalars())
