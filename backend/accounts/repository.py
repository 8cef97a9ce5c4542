"""Statements over users, sessions and what leads to a session."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.core.security import name_key, token_hash
from backend.tables import (
    RefreshToken,
    SignInAttempt,
    SignInLink,
    SignInSession,
    Ticket,
    User,
)

SORT_KEYS = {
    "created_at": SortKey(User.created_at, attrgetter("created_at")),
    "username": SortKey(User.username_key, attrgetter("username_key")),
}


TOUCH_INTERVAL: Final = timedelta(minutes=1)


class UserRepository(ScopedRepository[User]):
    """Administrators see everybody, others themselves."""

    noun = "user"

    def scoped(self) -> Select[User]:
        statement = select(User)
        if not self.viewer.sees_everything:
            statement = statement.where(User.id == self.viewer.user_id)
        return statement

    async def get(self, user_id: int, *, for_update: bool = False) -> User:
        statement = self.scoped().where(User.id == user_id)
        return await self.get_one(statement.with_for_update() if for_update else statement)

    async def find_by_name(self, username: str) -> User | None:
        return await self.find_one(self.scoped().where(User.username_key == name_key(username)))

    async def page(self, page: PageRequest, signer: CursorSigner) -> tuple[list[User], str | None]:
        return await fetch_page(
            self.session, self.scoped(), page, keys=SORT_KEYS, id_column=User.id, signer=signer
        )

    async def someone_can_administer(self) -> bool:
        """Whether an enabled administrator has a password."""
        statement = self.scoped().where(
            User.role == "admin", User.password_hash.is_not(None), User.disabled_at.is_(None)
        )
        return (await self.session.execute(statement.limit(1))).first() is not None


def _live() -> tuple[ColumnElement[bool], ...]:
    return (SignInSession.revoked_at.is_(None), SignInSession.expires_at > func.now())


_Parent = aliased(SignInSession)
# Built once: every request asks it, and building costs more than asking.
_LIVE_WITH_USER: Final = (
    select(SignInSession, User)
    .join(User, User.id == SignInSession.user_id)
    .outerjoin(_Parent, _Parent.id == SignInSession.parent_id)
    .where(*_live(), User.disabled_at.is_(None), _Parent.revoked_at.is_(None))
)


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

    async def touch(self, row: SignInSession) -> None:
        """Remember the last use, at most once a minute: a read must not write each time."""
        if datetime.now(UTC) - row.last_used_at < TOUCH_INTERVAL:
            return
        # A request that holds the row does the same; waiting for it would serialise the session.
        free = (
            select(SignInSession.id)
            .where(SignInSession.id == row.id)
            .with_for_update(skip_locked=True)
        )
        if (await self.session.execute(free)).first() is not None:
            await self.session.execute(
                update(SignInSession)
                .where(SignInSession.id == row.id)
                .values(last_used_at=func.now())
            )

    async def revoke_family(self, session_id: int) -> None:
        """End a sign-in together with the browser sessions made from it."""
        row = await self.session.get(SignInSession, session_id)
        root = session_id if row is None or row.parent_id is None else row.parent_id
        await self._revoke(or_(SignInSession.id == root, SignInSession.parent_id == root))

    async def revoke(self, row: SignInSession) -> None:
        """End one session; a sign-in takes the browser sessions made from it along."""
        await self._revoke(or_(SignInSession.id == row.id, SignInSession.parent_id == row.id))

    async def revoke_user(self, user_id: int, *, keep: int | None = None) -> None:
        """End all sessions of a user; `keep` and the sign-in behind it may stay."""
        condition = SignInSession.user_id == user_id
        if keep is not None:
            row = await self.session.get(SignInSession, keep)
            root = keep if row is None or row.parent_id is None else row.parent_id
            condition = condition & SignInSession.id.not_in([keep, root])
        await self._revoke(condition)

    async def _revoke(self, condition: ColumnElement[bool]) -> None:
        await self.session.execute(
            update(SignInSession)
            .where(condition, SignInSession.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )


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


async def spend_link(session: AsyncSession, token: str) -> int | None:
    """The user that a sign-in link stands for, once."""
    statement = (
        update(SignInLink)
        .where(
            SignInLink.token_hash == token_hash(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(SignInLink.user_id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Counted:
    """Failed sign-ins in the window, and the oldest of them."""

    number: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed sign-ins of one account from anywhere, and of one address for any account."""

    by_account: Counted
    by_address: Counted


async def count_attempts(
    session: AsyncSession, *, account_key: str, address: str, since: timedelta
) -> Attempts:
    """Failed sign-ins of the account and of the address in the window."""
    by_account = SignInAttempt.account_key == account_key
    by_address = SignInAttempt.address == address
    oldest = func.min(SignInAttempt.created_at)
    statement = select(
        func.count().filter(by_account),
        oldest.filter(by_account),
        func.count().filter(by_address),
        oldest.filter(by_address),
    ).where(SignInAttempt.created_at > func.now() - since, or_(by_account, by_address))
    row = (await session.execute(statement)).one()
    return Attempts(Counted(row[0], row[1]), Counted(row[2], row[3]))
