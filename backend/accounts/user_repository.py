"""Statements over accounts; deleted ones are seen by nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final, assert_never

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, not_, or_, select

from backend.accounts.schemas import UserFilter, UserState
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.core.security import name_key
from backend.settings import Settings
from backend.tables import ExternalIdentity, SignInLink, User

SORT_KEYS: Final = {
    "created_at": SortKey(User.created_at, attrgetter("created_at")),
    "username": SortKey(User.username_key, attrgetter("username_key")),
}


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How people can sign in here as it is set up now; what else they have does not help them."""

    by_password: bool
    issuer: str | None

    @classmethod
    def of(cls, settings: Settings) -> "WaysIn":
        return cls(by_password=settings.auth.password_login, issuer=settings.oidc.issuer)

    def has_one(self) -> ColumnElement[bool]:
        """Whether an account has one of them."""
        by_password = and_(literal(self.by_password), User.password_hash.is_not(None))
        if self.issuer is None:
            return by_password
        # The provider may write its own name with a slash at the end, and the settings without.
        is_present = func.rtrim(ExternalIdentity.issuer, "/") == self.issuer.rstrip("/")
        theirs = (ExternalIdentity.user_id == User.id, is_present)
        return or_(by_password, exists().where(*theirs))


class UserRepository(ScopedRepository[User]):
    """Administrators see everybody, others themselves."""

    noun = "user"

    def scoped(self) -> Select[User]:
        statement = select(User).where(User.deleted_at.is_(None))
        if not self.viewer.sees_everything:
            statement = statement.where(User.id == self.viewer.user_id)
        return statement

    async def get(self, user_id: int, *, for_update: bool = False) -> User:
        statement = self.scoped().where(User.id == user_id)
        return await self.get_one(_locked(statement) if for_update else statement)

    async def find(self, user_id: int, *, for_update: bool = False) -> User | None:
        statement = self.scoped().where(User.id == user_id)
        return await self.find_one(_locked(statement) if for_update else statement)

    async def find_by_name(self, username: str, *, for_update: bool = False) -> User | None:
        statement = self.scoped().where(User.username_key == name_key(username))
        return await self.find_one(_locked(statement) if for_update else statement)

    async def page(
        self, page: PageRequest, signer: CursorSigner, wanted: UserFilter
    ) -> tuple[list[User], str | None]:
        return await fetch_page(
            self.session,
            self.scoped().where(*_conditions(wanted)),
            page,
            keys=SORT_KEYS,
            id_column=User.id,
            signer=signer,
        )

    async def invited_until(self, user_ids: Sequence[int]) -> dict[int, datetime]:
        """Until when the open invitation of each of these counts, where there is one."""
        statement = (
            select(SignInLink.user_id, func.max(SignInLink.expires_at))
            .where(SignInLink.user_id.in_(user_ids), *_open_invitation())
            .group_by(SignInLink.user_id)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def can_administer(self, user_id: int, ways: WaysIn) -> bool:
        """Whether this is an enabled administrator with a way to sign in."""
        return await self._any(self._administrators(ways).where(User.id == user_id))

    async def someone_can_administer(self, ways: WaysIn, *, besides: int | None = None) -> bool:
        """Whether an enabled administrator, other than this one, has a way to sign in."""
        statement = self._administrators(ways)
        if besides is not None:
            statement = statement.where(User.id != besides)
        return await self._any(statement)

    async def find_administrator(self) -> User | None:
        """The first enabled administrator, whether or not they can sign in."""
        statement = self.scoped().where(*_enabled_administrator()).order_by(User.id).limit(1)
        return await self.find_one(statement)

    async def is_known(self, username: str) -> bool:
        """Whether somebody has or had this name."""
        statement = select(User).where(User.username_key == name_key(username))
        return await self._any(statement)

    def _administrators(self, ways: WaysIn) -> Select[User]:
        return self.scoped().where(*_enabled_administrator(), ways.has_one())

    async def _any(self, statement: Select[User]) -> bool:
        found = await self.session.execute(statement.with_only_columns(User.id).limit(1))
        return found.first() is not None


def _locked(statement: Select[User]) -> Select[User]:
    """Hold the row; rows that refer to it, as the audit's do, can be written meanwhile."""
    return statement.with_for_update(key_share=True).execution_options(populate_existing=True)


def _enabled_administrator() -> tuple[ColumnElement[bool], ...]:
    return (User.role == "admin", User.kind == "person", User.disabled_at.is_(None))


def _open_invitation() -> tuple[ColumnElement[bool], ...]:
    return (
        SignInLink.purpose == "invitation",
        SignInLink.used_at.is_(None),
        SignInLink.expires_at > func.now(),
    )


def _in_state(state: UserState) -> ColumnElement[bool]:
    invited = exists().where(SignInLink.user_id == User.id, *_open_invitation())
    match state:
        case "disabled":
            return User.disabled_at.is_not(None)
        case "invited":
            return and_(User.disabled_at.is_(None), invited)
        case "active":
            return and_(User.disabled_at.is_(None), not_(invited))
        case _:
            assert_never(state)


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.name_contains is not None:
        part = name_key(wanted.name_contains)
        conditions.append(
            or_(
                User.username_key.contains(part, autoescape=True),
                func.lower(User.display_name).contains(part, autoescape=True),
            )
        )
    if wanted.role is not None:
        conditions.append(User.role == wanted.role.value)
    if wanted.kind is not None:
        conditions.append(User.kind == wanted.kind)
    if wanted.state is not None:
        conditions.append(_in_state(wanted.state))
    return conditions
