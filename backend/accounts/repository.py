"""Statements over sessions and what leads to a session."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Row,
    Select,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from backend.core.access import Role
from backend.core.repository import ScopedRepository
from backend.core.security import token_hash
from backend.tables import (
    RefreshToken,
    SignInSession,
    Ticket,
    User,
)

TOUCH_INTERVAL: Final = timedelta(minutes=1)


def _live() -> tuple[ColumnElement[bool], ...]:
    return (SignInSession.revoked_at.is_(None), SignInSession.expires_at > func.now())


_Parent = aliased(SignInSession)
# An enabled user's live session, whose sign-in, where it has one, lives too.
_ALIVE: Final = (
    *_live(),
    User.disabled_at.is_(None),
    User.deleted_at.is_(None),
    _Parent.revoked_at.is_(None),
)
_LIVE_WITH_USER: Final = (
    select(SignInSession, User)
    .join(User, User.id == SignInSession.user_id)
    .outerjoin(_Parent, _Parent.id == SignInSession.parent_id)
    .where(*_ALIVE)
)
# Built once, and of columns: every request asks it, and building costs more than asking.
_CALLER: Final = (
    select(
        SignInSession.id,
        User.id,
        User.username,
        User.role,
        SignInSession.last_used_at < func.now() - TOUCH_INTERVAL,
    )
    .join(User, User.id == SignInSession.user_id)
    .outerjoin(_Parent, _Parent.id == SignInSession.parent_id)
    .where(*_ALIVE)
)
_CALLER_BY_ID: Final = _CALLER.where(
    SignInSession.id == bindparam("session_id"), User.id == bindparam("user_id")
)
_CALLER_BY_TOKEN: Final = _CALLER.where(SignInSession.token_hash == bindparam("token_hash"))


@dataclass(frozen=True, slots=True)
class SessionCaller:
    """Who holds a live session, and whether its last use is worth writing again."""

    session_id: int
    user_id: int
    username: str
    role: Role
    is_stale: bool


def _caller(row: Row[int, int, str, str, bool] | None) -> SessionCaller | None:
    return None if row is None else SessionCaller(row[0], row[1], row[2], Role(row[3]), row[4])


async def find_caller(
    session: AsyncSession, *, session_id: int, user_id: int
) -> SessionCaller | None:
    """Who holds this session of this user."""
    found = await session.execute(_CALLER_BY_ID, {"session_id": session_id, "user_id": user_id})
    return _caller(found.one_or_none())


async def find_browser_caller(session: AsyncSession, token: str) -> SessionCaller | None:
    """Who holds this browser session."""
    found = await session.execute(_CALLER_BY_TOKEN, {"token_hash": token_hash(token)})
    return _caller(found.one_or_none())


class SessionRepository(ScopedRepository[SignInSession]):
    """The live sessions of the viewer; SYSTEM sees all, to find out who is calling."""

    noun = "session"

    def scoped(self) -> Select[SignInSession]:
        statement = select(SignInSession).where(*_live())
        if self.viewer.user_id:
            statement = statement.where(SignInSession.user_id == self.viewer.user_id)
        return statement

    def _own(self) -> Select[SignInSession]:
        return self.scoped().where(SignInSession.user_id == self.viewer.user_id)

    async def list_own(self) -> list[SignInSession]:
        statement = self._own().order_by(SignInSession.last_used_at.desc(), SignInSession.id)
        return list((await self.session.execute(statement)).scalars())

    async def get_own(self, session_id: int) -> SignInSession:
        return await self.get_one(self._own().where(SignInSession.id == session_id))

    async def find_with_user(
        self, condition: ColumnElement[bool]
    ) -> tuple[SignInSession, User] | None:
        """A live session of an enabled user whose sign-in, where it has one, lives too."""
        statement = _LIVE_WITH_USER.where(condition)
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else (row[0], row[1])

    async def find_by_browser_token(self, token: str) -> tuple[SignInSession, User] | None:
        return await self.find_with_user(SignInSession.token_hash == token_hash(token))

    async def touch(self, session_id: int) -> None:
        """Remember the last use, at most once a minute: a read must not write each time.

        A request that holds the row does the same; waiting for it would serialise the session.
        """
        free = (
            select(SignInSession.id)
            .where(
                SignInSession.id == session_id,
                SignInSession.last_used_at < func.now() - TOUCH_INTERVAL,
            )
            .with_for_update(skip_locked=True)
        )
        await self.session.execute(
            update(SignInSession)
            .where(SignInSession.id.in_(free))
            .values(last_used_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def revoke_family(self, session_id: int) -> int:
        """End a sign-in together with the browser sessions made from it; how many lived."""
        row = await self.session.get(SignInSession, session_id)
        root = session_id if row is None or row.parent_id is None else row.parent_id
        return await self._revoke(or_(SignInSession.id == root, SignInSession.parent_id == root))

    async def revoke(self, row: SignInSession) -> None:
        """End one session; a sign-in takes the browser sessions made from it along."""
        await self._revoke(or_(SignInSession.id == row.id, SignInSession.parent_id == row.id))

    async def revoke_user(self, user_id: int, *, keep: int | None = None) -> int:
        """End all sessions of a user; `keep` and the sign-in behind it may stay."""
        condition = SignInSession.user_id == user_id
        if keep is not None:
            row = await self.session.get(SignInSession, keep)
            root = keep if row is None or row.parent_id is None else row.parent_id
            condition = condition & SignInSession.id.not_in([keep, root])
        return await self._revoke(condition)

    async def _revoke(self, condition: ColumnElement[bool]) -> int:
        done = await self.session.execute(
            update(SignInSession)
            .where(condition, SignInSession.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .execution_options(synchronize_session=False)
        )
        return done.rowcount if isinstance(done, CursorResult) else 0


async def spend_refresh_token(session: AsyncSession, token: str) -> tuple[int, bool] | None:
    """The session of the token and whether this was its first use; None if there is none.

    The UPDATE decides between parallel uses: only one of them sees its row unused.
    """
    spent = (
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash(token), RefreshToken.used_at.is_(None))
        .values(used_at=func.now())
        .returning(RefreshToken.session_id)
    )
    session_id = (await session.execute(spent)).scalar_one_or_none()
    if session_id is not None:
        return session_id, True
    known = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash(token))
    session_id = (await session.execute(known)).scalar_one_or_none()
    return None if session_id is None else (session_id, False)


async def spend_ticket(session: AsyncSession, ticket: str) -> int | None:
    """The session that a ticket stands for, once."""
    statement = (
        update(Ticket)
        .where(
            Ticket.token_hash == token_hash(ticket),
            Ticket.used_at.is_(None),
            Ticket.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(Ticket.session_id)
    )
    return (await session.execute(statement)).scalar_one_or_none()
