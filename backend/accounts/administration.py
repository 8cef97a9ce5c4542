"""What administrators do to accounts; one who can sign in always remains."""

from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import links, passwords
from backend.accounts.repository import SessionRepository
from backend.accounts.schemas import LinkOut, UserAdminUpdate, UserCreate
from backend.accounts.user_repository import UserRepository, WaysIn
from backend.accounts.users import add_user, changed_fields, store_password, store_profile
from backend.core.access import SYSTEM, Role, Viewer
from backend.core.audit import Action, about, record
from backend.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from backend.core.security import name_key
from backend.settings import Settings
from backend.tables import ApiToken, ExternalIdentity, User

# Held while administrators become fewer: two last ones must not remove each other.
ADMINISTRATORS_LOCK: Final = 7_013_003


async def get_for_change(session: AsyncSession, viewer: Viewer, user_id: int) -> User:
    """The account, held until the transaction ends, and with it who the administrators are.

    The viewer may have waited for it, and must be one still.
    """
    await hold_administrators(session)
    still = await UserRepository(session, SYSTEM).find(viewer.user_id)
    if still is None or still.disabled_at is not None:
        raise Unauthenticated
    if still.platform_role is not Role.ADMIN:
        raise Forbidden("This is for administrators.")
    return await UserRepository(session, viewer).get(user_id, for_update=True)


async def hold_administrators(session: AsyncSession) -> None:
    """Nobody else makes administrators fewer until the transaction ends; before any row is held."""
    await session.execute(select(func.pg_advisory_xact_lock(ADMINISTRATORS_LOCK)))


async def keep_an_administrator(
    session: AsyncSession, viewer: Viewer, user: User, settings: Settings
) -> None:
    """Refuse to lose this account where no other administrator could sign in."""
    accounts, ways = UserRepository(session, SYSTEM), WaysIn.of(settings)
    # Who signed in by a one-time link administers, too, although it cannot be done again.
    counts = user.id == viewer.user_id or await accounts.can_administer(user.id, ways)
    if counts and not await accounts.someone_can_administer(ways, besides=user.id):
        raise Conflict(
            "This is the last administrator who can sign in. Make another one first.",
            code="last_admin",
        )


async def update_user(
    session: AsyncSession, viewer: Viewer, user: User, data: UserAdminUpdate, settings: Settings
) -> None:
    """Change an account that `get_for_change` gave; it counts with the next request of its user."""
    given = data.model_fields_set
    loses_role = "role" in given and data.role is not Role.ADMIN and user.role == Role.ADMIN.value
    disables = "disabled" in given and data.disabled and user.disabled_at is None
    if loses_role or disables:
        await keep_an_administrator(session, viewer, user, settings)
    await _update_profile(session, viewer, user, data)
    if "role" in given:
        await change_role(session, viewer, user, data.role)
    if disables:
        user.disabled_at = await session.scalar(select(func.now()))
        await SessionRepository(session, SYSTEM).revoke_user(user.id)
        record(session, viewer, Action.USER_DISABLED, about(user))
    elif "disabled" in given and not data.disabled:
        _enable(session, viewer, user)
    await session.flush()


def _enable(session: AsyncSession, viewer: Viewer, user: User) -> None:
    if user.disabled_at is not None:
        user.disabled_at = None
        record(session, viewer, Action.USER_ENABLED, about(user))


async def _update_profile(
    session: AsyncSession, viewer: Viewer, user: User, data: UserAdminUpdate
) -> None:
    changes = changed_fields(user, data)
    verified = data.email is not None
    # Also an address that stays: what an administrator wrote counts as verified.
    if "email" in data.model_fields_set and user.email_verified is not verified:
        changes["email_verified"] = verified
    details = {"fields": sorted(changes)}
    await store_profile(session, user, changes)
    if changes:
        record(session, viewer, Action.USER_UPDATED, about(user), details=details)


async def change_role(
    session: AsyncSession, viewer: Viewer, user: User, role: Role, *, by: str | None = None
) -> None:
    """Give another role; `keep_an_administrator` comes before it.

    `by` names what decided it where that was nobody.
    """
    if user.role == role.value:
        return
    details = {"from": user.role, "to": role.value} | ({} if by is None else {"by": by})
    user.role = role.value
    await session.flush()
    record(session, viewer, Action.ROLE_CHANGED, about(user), details=details)


async def invite(session: AsyncSession, viewer: Viewer, user: User, settings: Settings) -> LinkOut:
    """A new invitation; the one before it ends."""
    _refuse_links(user, settings)
    if user.password_hash is not None:
        raise Conflict("This user has a password already. Reset it instead.", code="has_password")
    link = await links.make_link(session, user, "invitation", settings, maker=viewer)
    record(session, viewer, Action.USER_INVITED, about(user))
    return link


async def withdraw_invitation(session: AsyncSession, viewer: Viewer, user: User) -> None:
    """End the open invitation."""
    if not await links.withdraw(session, user.id, "invitation"):
        raise NotFound("There is no open invitation.")
    record(session, viewer, Action.INVITATION_WITHDRAWN, about(user))


async def reset_password(
    session: AsyncSession, viewer: Viewer, user: User, settings: Settings
) -> LinkOut:
    """A link for a new password; the old one and all sessions end at once, tokens stay."""
    _refuse_links(user, settings)
    if user.password_hash is not None:
        await keep_an_administrator(session, viewer, user, settings)
    user.password_hash = None
    await session.flush()
    await SessionRepository(session, SYSTEM).revoke_user(user.id)
    link = await links.make_link(session, user, "password_reset", settings, maker=viewer)
    record(session, viewer, Action.PASSWORD_RESET, about(user))
    return link


def _refuse_links(user: User, settings: Settings) -> None:
    if user.kind != "person":
        raise Conflict("Service accounts have tokens, and no password.", code="service_account")
    if user.disabled_at is not None:
        raise Conflict("This account is disabled. Enable it first.", code="user_disabled")
    if not settings.auth.password_login:
        raise Forbidden("Passwords are not accepted here.", code="password_login_off")


async def remove_user(
    session: AsyncSession, viewer: Viewer, user: User, settings: Settings
) -> None:
    """Empty the account and close every way into it; what it held must have gone elsewhere.

    The row stays as a name: what it made, and the audit, still say who it was.
    """
    await keep_an_administrator(session, viewer, user, settings)
    user.deleted_at = await session.scalar(select(func.now()))
    # Whatever acts in somebody's name later on, as schedules do, asks this.
    user.disabled_at = user.disabled_at or user.deleted_at
    user.password_hash = user.email = None
    user.email_verified = False
    user.display_name = ""
    await session.flush()
    await SessionRepository(session, SYSTEM).revoke_user(user.id)
    await links.withdraw(session, user.id)
    await session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    await session.execute(delete(ExternalIdentity).where(ExternalIdentity.user_id == user.id))
    record(session, viewer, Action.USER_DELETED, about(user))


async def ensure_admin(session: AsyncSession, *, username: str, password: str) -> User:
    """The named administrator with this password, made or brought back."""
    data = UserCreate(username=username, role=Role.ADMIN, password=password)
    await hold_administrators(session)
    accounts = UserRepository(session, SYSTEM)
    user = await accounts.find_by_name(data.username, for_update=True)
    if user is not None and user.kind != "person":
        raise Conflict(f"{user.username!r} is a service account.", code="service_account")
    password_hash = await passwords.accepted(
        password, field="password", username=data.username, email=user.email if user else None
    )
    if user is None:
        user = await make_administrator(session, data.username)
    await change_role(session, SYSTEM, user, Role.ADMIN)
    _enable(session, SYSTEM, user)
    # Whoever needed this may have lost the account to somebody who is still signed in.
    await store_password(session, user, password_hash)
    record(session, SYSTEM, Action.PASSWORD_CHANGED, about(user))
    return user


async def make_administrator(session: AsyncSession, username: str) -> User:
    """A new administrator, as yet without a way in."""
    user = User(username=username, username_key=name_key(username), role=Role.ADMIN.value)
    await add_user(session, user)
    record(session, SYSTEM, Action.USER_CREATED, about(user), details={"role": user.role})
    return user
