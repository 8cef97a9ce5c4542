"""Making accounts, and what people change about their own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import links, passwords
from backend.accounts.attempts import (
    OldPasswordRefused,
    count_failure,
    hold_account,
    refuse_too_many,
)
from backend.accounts.repository import SessionRepository
from backend.accounts.schemas import (
    LinkOut,
    Registration,
    UserAdminUpdate,
    UserCreate,
    UserOut,
    UserUpdate,
)
from backend.accounts.user_repository import UserRepository
from backend.core.access import SYSTEM, Viewer
from backend.core.audit import Action, about, record
from backend.core.db import SessionFactory, transaction
from backend.core.errors import Conflict
from backend.core.security import mail_key, name_key
from backend.settings import AuthSettings, Settings
from backend.tables import User

# Names under which the platform itself acts, here, in MLflow and in the audit.
RESERVED_NAMES: Final = frozenset({"system", "goodfit", "goodfit-service", "nobody"})


def user_out(user: User, invited_until: datetime | None = None) -> UserOut:
    """An account as its owner and administrators see it."""
    return UserOut(
        id=user.id,
        username=user.username,
        kind="service" if user.kind == "service" else "person",
        display_name=user.display_name,
        email=user.email,
        email_verified=user.email_verified,
        role=user.platform_role,
        has_password=user.password_hash is not None,
        disabled=user.disabled_at is not None,
        invited_until=invited_until,
        created_at=user.created_at,
    )


async def create_user(
    session: AsyncSession, viewer: Viewer, data: UserCreate, settings: Settings
) -> tuple[User, LinkOut | None]:
    """An account made by an administrator; without a password with a link that invites."""
    password_hash = await first_hash(data)
    user = User(
        username=data.username,
        username_key=name_key(data.username),
        display_name=data.display_name,
        email=data.email,
        email_verified=data.email is not None,
        role=data.role.value,
        password_hash=password_hash,
    )
    await add_user(session, user)
    record(session, viewer, Action.USER_CREATED, about(user), details={"role": user.role})
    if data.password is not None or not settings.auth.password_login:
        return user, None
    invitation = await links.make_link(session, user, "invitation", settings, maker=viewer)
    record(session, viewer, Action.USER_INVITED, about(user))
    return user, invitation


async def add_user(session: AsyncSession, user: User) -> User:
    """Insert an account or say what of it is taken; names of deleted accounts stay taken."""
    if user.username_key in RESERVED_NAMES:
        raise Conflict(f"The user name {user.username!r} is reserved.", code="name_taken")
    try:
        async with session.begin_nested():
            session.add(user)
            await session.flush()
    except IntegrityError as error:
        raise _taken(error, user.username) from None
    return user


async def store_profile(session: AsyncSession, user: User, changes: Mapping[str, Any]) -> None:
    """Write changes of an account or say that its mail address is taken."""
    username = user.username
    try:
        # Changes are made inside, since a savepoint writes first what was changed before it.
        async with session.begin_nested():
            for name, value in changes.items():
                setattr(user, name, value)
            await session.flush()
    except IntegrityError as error:
        raise _taken(error, username) from None


def _taken(error: IntegrityError, username: str) -> Conflict:
    if "uq_users_verified_email" in str(error.orig):
        return Conflict("Another account has this mail address.", code="email_taken")
    return Conflict(f"The user name {username!r} is taken.", code="name_taken")


async def update_own(session: AsyncSession, viewer: Viewer, user: User, data: UserUpdate) -> None:
    """Change one's profile; a mail address that people give themselves is not verified."""
    changes = changed_fields(user, data)
    if not changes:
        return
    details = {"fields": sorted(changes)}
    if "email" in changes:
        verified = user.email_verified and same_address(user.email, data.email)
        changes["email_verified"] = verified
    await store_profile(session, user, changes)
    record(session, viewer, Action.USER_UPDATED, about(user), details=details)


def changed_fields(user: User, data: UserUpdate | UserAdminUpdate) -> dict[str, Any]:
    """The fields that are given and differ from what is."""
    given = data.model_fields_set & UserUpdate.model_fields.keys()
    wanted = {name: getattr(data, name) for name in given}
    return {name: value for name, value in wanted.items() if getattr(user, name) != value}


def same_address(one: str | None, other: str | None) -> bool:
    """Whether two mail addresses are one; capital letters do not tell them apart."""
    return one is not None and other is not None and mail_key(one) == mail_key(other)


async def change_password(
    sessions: SessionFactory, viewer: Viewer, *, old: str | None, new: str, auth: AuthSettings
) -> None:
    """Set a password; where there is one the old one is asked for. Other sessions end.

    Nothing is held while it hashes. Whether the old one is right must not show before the tries
    are counted: the new one is judged first.
    """
    who, address = viewer.username, viewer.address or "unknown"
    async with transaction(sessions) as session:
        await refuse_too_many(session, username=who, address=address, auth=auth)
        user = await UserRepository(session, viewer).get(viewer.user_id)
    known = user.password_hash
    password_hash = await passwords.accepted(
        new, field="new_password", username=who, email=user.email
    )
    fits = known is None or await passwords.fits(old or "", known)
    async with transaction(sessions) as session:
        await hold_account(session, who)
        await refuse_too_many(session, username=who, address=address, auth=auth)
        user = await UserRepository(session, viewer).get(viewer.user_id, for_update=True)
        if not fits or user.password_hash != known:
            await count_failure(session, username=who, address=address)
            raise OldPasswordRefused
        await store_password(session, user, password_hash, keep=viewer.session_id)
        record(session, viewer, Action.PASSWORD_CHANGED, about(user))


async def first_hash(data: UserCreate | Registration) -> str | None:
    """Of the password that a new account comes with; before anything of the database is held."""
    if data.password is None:
        return None
    return await passwords.accepted(
        data.password, field="password", username=data.username, email=data.email
    )


async def store_password(
    session: AsyncSession, user: User, password_hash: str, *, keep: int | None = None
) -> None:
    """Store a new password; it ends the user's open links, and all sessions but `keep`."""
    user.password_hash = password_hash
    await session.flush()
    await links.withdraw(session, user.id)
    await SessionRepository(session, SYSTEM).revoke_user(user.id, keep=keep)
