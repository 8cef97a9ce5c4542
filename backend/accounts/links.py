"""One-time links: for the first administrator, for the invited, for who forgot the password."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts.attempts import count_failure, refuse_too_many
from backend.accounts.schemas import LinkOut, LinkPurpose
from backend.accounts.user_repository import UserRepository
from backend.core.access import SYSTEM, Viewer
from backend.core.audit import Action, record
from backend.core.db import database_time
from backend.core.errors import CredentialsRejected
from backend.core.security import LINK_PREFIX, new_token, token_hash
from backend.settings import AuthSettings, Settings
from backend.tables import SignInLink, User

# The parameter of the dashboard's address that carries the token.
PARAMETERS: Final[dict[LinkPurpose, str]] = {
    "sign_in": "signin",
    "invitation": "invitation",
    "password_reset": "reset",
}
# Links whose users set a password; one for signing in sets none.
PASSWORD_PURPOSES: Final[tuple[LinkPurpose, ...]] = ("invitation", "password_reset")


class LinkRejected(CredentialsRejected):
    """These credentials were not accepted"""

    def __init__(self) -> None:
        super().__init__("This link is used up, expired or unknown. Ask for a new one.")


def _lifetime(purpose: LinkPurpose, auth: AuthSettings) -> timedelta:
    return {
        "sign_in": auth.signin_link_lifetime,
        "invitation": auth.invitation_lifetime,
        "password_reset": auth.password_reset_lifetime,
    }[purpose]


async def make_link(
    session: AsyncSession,
    user: User,
    purpose: LinkPurpose,
    settings: Settings,
    *,
    maker: Viewer | None = None,
) -> LinkOut:
    """A new link for the user; it ends the older ones of its purpose."""
    await withdraw(session, user.id, purpose)
    token = new_token(LINK_PREFIX)
    expires_at = await database_time(session, after=_lifetime(purpose, settings.auth))
    session.add(
        SignInLink(
            token_hash=token_hash(token),
            user_id=user.id,
            purpose=purpose,
            created_by=(maker.user_id or None) if maker else None,
            expires_at=expires_at,
        )
    )
    await session.flush()
    url = f"{settings.urls.dashboard}/?{PARAMETERS[purpose]}={token}"
    return LinkOut(url=url, expires_at=expires_at)


async def withdraw(session: AsyncSession, user_id: int, purpose: LinkPurpose | None = None) -> bool:
    """End the user's open links, of one purpose or all; whether there was one."""
    statement = (
        update(SignInLink)
        .where(SignInLink.user_id == user_id, *_open())
        .values(used_at=func.now())
        .returning(SignInLink.user_id)
    )
    if purpose is not None:
        statement = statement.where(SignInLink.purpose == purpose)
    return (await session.execute(statement)).first() is not None


async def present_link(
    session: AsyncSession,
    token: str,
    purposes: Sequence[LinkPurpose],
    *,
    address: str,
    auth: AuthSettings,
) -> SignInLink:
    """The open link of this token, whose user may sign in; a wrong one counts for the address."""
    await refuse_too_many(session, username=None, address=address, auth=auth)
    link = await _find(session, token, purposes)
    if link is None:
        await count_failure(session, username=None, address=address)
        details = {"method": "link"}
        record(
            session, None, Action.SIGN_IN_FAILED, outcome="failed", address=address, details=details
        )
        raise LinkRejected
    return link


async def _find(
    session: AsyncSession, token: str, purposes: Sequence[LinkPurpose]
) -> SignInLink | None:
    statement = (
        select(SignInLink)
        .join(User, User.id == SignInLink.user_id)
        .where(
            SignInLink.token_hash == token_hash(token),
            SignInLink.purpose.in_(purposes),
            *_open(),
            User.deleted_at.is_(None),
            User.disabled_at.is_(None),
        )
    )
    return (await session.execute(statement)).scalars().one_or_none()


async def spend_link(session: AsyncSession, link: SignInLink) -> User:
    """Use the link up and hold its user; of parallel uses the UPDATE lets one through."""
    user = await UserRepository(session, SYSTEM).find(link.user_id, for_update=True)
    if user is None or user.disabled_at is not None:
        raise LinkRejected
    statement = (
        update(SignInLink)
        .where(SignInLink.token_hash == link.token_hash, *_open())
        .values(used_at=func.now())
        .returning(SignInLink.user_id)
    )
    if (await session.execute(statement)).first() is None:
        raise LinkRejected
    return user


async def user_of(session: AsyncSession, link: SignInLink) -> User:
    """Whom the link is for."""
    return await UserRepository(session, SYSTEM).get(link.user_id)


def _open() -> tuple[ColumnElement[bool], ...]:
    return (SignInLink.used_at.is_(None), SignInLink.expires_at > func.now())
