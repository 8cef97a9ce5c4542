"""Making, changing and removing accounts."""

from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import passwords
from backend.accounts.repository import SessionRepository, UserRepository
from backend.accounts.schemas import UserCreate
from backend.core.access import SYSTEM, Role, Viewer
from backend.core.errors import Conflict, field_error
from backend.core.security import name_key
from backend.tables import User

# Names under which the platform itself acts, here and in MLflow.
RESERVED_NAMES: Final = frozenset({"system", "goodfit-service"})


async def create_user(session: AsyncSession, data: UserCreate) -> User:
    """A new account; the name must be free, also for look-alikes."""
    user = User(
        username=data.username,
        username_key=name_key(data.username),
        email=data.email,
        role=data.role.value,
        password_hash=None if data.password is None else await passwords.hashed(data.password),
    )
    return await add_user(session, user)


async def add_user(session: AsyncSession, user: User) -> User:
    """Insert an account or say that its name is taken."""
    if user.username_key in RESERVED_NAMES:
        raise Conflict(f"The user name {user.username!r} is reserved.", code="name_taken")
    try:
        async with session.begin_nested():
            session.add(user)
            await session.flush()
    except IntegrityError:
        raise Conflict(f"The user name {user.username!r} is taken.", code="name_taken") from None
    return user


async def change_password(
    session: AsyncSession, viewer: Viewer, *, old: str | None, new: str
) -> None:
    """Set a password; where there is one the old one is asked for. Other sessions end."""
    user = await UserRepository(session, viewer).get(viewer.user_id)
    if user.password_hash is not None and not await passwords.fits(old or "", user.password_hash):
        raise field_error("old_password", msg="this is not the present password")
    user.password_hash = await passwords.hashed(new)
    await session.flush()
    await SessionRepository(session, viewer).revoke_user(user.id, keep=viewer.session_id)


async def ensure_admin(session: AsyncSession, *, username: str, password: str) -> User:
    """The named administrator with this password, made or brought back."""
    data = UserCreate(username=username, role=Role.ADMIN, password=password)
    user = await UserRepository(session, SYSTEM).find_by_name(username)
    if user is None:
        return await create_user(session, data)
    user.role = Role.ADMIN.value
    user.password_hash = await passwords.hashed(password)
    user.disabled_at = None
    await session.flush()
    # Whoever needed this may have lost the account to somebody who is still signed in.
    await SessionRepository(session, SYSTEM).revoke_user(user.id)
    return user
