"""Statements over personal tokens and those of service accounts."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts.repository import TOUCH_INTERVAL
from backend.core.access import Role, Scope, Viewer
from backend.core.pagination import CursorSigner, PageRequest, SortKey, fetch_page
from backend.core.repository import ScopedRepository
from backend.core.security import token_hash
from backend.tables import ApiToken, Project, ProjectMember, User

SORT_KEYS: Final = {
    "created_at": SortKey(ApiToken.created_at, attrgetter("created_at")),
    "name": SortKey(ApiToken.name, attrgetter("name")),
    "expires_at": SortKey(ApiToken.expires_at, attrgetter("expires_at"), nullable=True),
    "last_used_at": SortKey(ApiToken.last_used_at, attrgetter("last_used_at"), nullable=True),
}
_UNEXPIRED: Final = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now())
_STALE: Final = or_(
    ApiToken.last_used_at.is_(None), ApiToken.last_used_at < func.now() - TOUCH_INTERVAL
)
# Built once, and of columns: each call of a program asks it.
_CALLER: Final = (
    select(
        ApiToken.id,
        ApiToken.scope,
        ApiToken.project_id,
        User.id,
        User.username,
        User.role,
        _STALE,
    )
    .join(User, User.id == ApiToken.user_id)
    .outerjoin(Project, Project.id == ApiToken.project_id)
    .where(
        ApiToken.token_hash == bindparam("token_hash"),
        ApiToken.revoked_at.is_(None),
        _UNEXPIRED,
        User.disabled_at.is_(None),
        User.deleted_at.is_(None),
        Project.trashed_at.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """Who holds a live token, and whether its last use is worth writing again."""

    viewer: Viewer
    token_id: int
    is_stale: bool


async def find_token_caller(
    session: AsyncSession, token: str, *, address: str | None
) -> TokenCaller | None:
    """Who holds this personal token."""
    found = await session.execute(_CALLER, {"token_hash": token_hash(token)})
    row = found.one_or_none()
    if row is None:
        return None
    token_id, scope, project_id, user_id, username, role, is_stale = row
    viewer = Viewer(
        user_id=user_id,
        username=username,
        role=Role(role),
        scope=Scope(scope),
        token_id=token_id,
        project_id=project_id,
        address=address,
    )
    return TokenCaller(viewer, token_id, is_stale)


async def touch_token(session: AsyncSession, token_id: int, *, address: str | None) -> None:
    """Remember last use and address, at most once a minute, and without waiting for others.

    Another process that asks for somebody knows no address; the last one stays.
    """
    free = (
        select(ApiToken.id).where(ApiToken.id == token_id, _STALE).with_for_update(skip_locked=True)
    )
    await session.execute(
        update(ApiToken)
        .where(ApiToken.id.in_(free))
        .values(last_used_at=func.now(), last_address=func.coalesce(address, ApiToken.last_address))
        .execution_options(synchronize_session=False)
    )


class TokenRepository(ScopedRepository[ApiToken]):
    """The tokens of one account that were not revoked: one's own, or as an administrator."""

    noun = "token"

    def __init__(self, session: AsyncSession, viewer: Viewer, *, user_id: int) -> None:
        super().__init__(session, viewer)
        self._user_id = user_id

    def scoped(self) -> Select[ApiToken]:
        statement = select(ApiToken).where(
            ApiToken.user_id == self._user_id, ApiToken.revoked_at.is_(None)
        )
        if not self.viewer.sees_everything:
            statement = statement.where(ApiToken.user_id == self.viewer.user_id)
        if self.viewer.project_id is not None:
            statement = statement.where(ApiToken.project_id == self.viewer.project_id)
        return statement

    async def get(self, token_id: int) -> ApiToken:
        """The token, held until the transaction ends."""
        return await self.get_one(
            self.scoped().where(ApiToken.id == token_id).with_for_update(key_share=True)
        )

    async def page(
        self, page: PageRequest, signer: CursorSigner
    ) -> tuple[list[ApiToken], str | None]:
        return await fetch_page(
            self.session, self.scoped(), page, keys=SORT_KEYS, id_column=ApiToken.id, signer=signer
        )

    async def count_live(self) -> int:
        """How many still count."""
        statement = self.scoped().where(_UNEXPIRED).with_only_columns(func.count())
        return (await self.session.execute(statement)).scalar_one()

    async def is_member(self, project_id: int) -> bool:
        """Whether the account is a member of this project."""
        statement = (
            select(Project.id)
            .join(ProjectMember, ProjectMember.project_id == Project.id)
            .where(
                Project.id == project_id,
                Project.trashed_at.is_(None),
                ProjectMember.user_id == self._user_id,
            )
        )
        return (await self.session.execute(statement)).first() is not None

    async def makers(self, tokens: list[ApiToken]) -> dict[int, str]:
        """User names of who made these tokens."""
        ids = {token.created_by for token in tokens}
        statement = select(User.id, User.username).where(User.id.in_(ids))
        return {row[0]: row[1] for row in await self.session.execute(statement)}
