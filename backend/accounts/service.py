"""Signing in, staying signed in, signing out; making accounts."""

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import attempts, links, passwords
from backend.accounts.repository import (
    SessionCaller,
    SessionRepository,
    find_browser_caller,
    find_caller,
    spend_refresh_token,
    spend_ticket,
)
from backend.accounts.schemas import TokenOut
from backend.accounts.token_repository import find_token_caller, touch_token
from backend.accounts.user_repository import UserRepository
from backend.core import audit
from backend.core.access import SYSTEM, Viewer
from backend.core.actions import Action
from backend.core.audit import Subject
from backend.core.db import SessionFactory, database_time, transaction
from backend.core.errors import CredentialsRejected, Forbidden
from backend.core.security import (
    BROWSER_PREFIX,
    PERSONAL_PREFIX,
    REFRESH_PREFIX,
    TICKET_PREFIX,
    AccessClaims,
    decode_access_token,
    encode_access_token,
    new_token,
    token_hash,
)
from backend.settings import AuthSettings, Settings
from backend.tables import (
    RefreshToken,
    SignInSession,
    Ticket,
    User,
)

# One text for unknown, wrong and disabled: the answer must not tell accounts apart.
REJECTED: Final = "Incorrect username or password."
# Fewer than the database has connections: however many want in, others get theirs.
_signing_in: Final = passwords.Queue(at_once=4, longest=64)
SignInMethod = Literal["password", "link", "invitation", "password_reset", "oidc", "registration"]


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in comes from."""

    address: str
    user_agent: str | None


async def identify(
    session: AsyncSession, token: str, settings: Settings, *, address: str | None = None
) -> Viewer | None:
    """Who holds this access token or personal token now, by one statement.

    Signing out, revoking, disabling or a new role count at once.
    """
    if token.startswith(PERSONAL_PREFIX):
        held = await find_token_caller(session, token, address=address)
        if held is None:
            return None
        if held.is_stale:
            await touch_token(session, held.token_id, address=address)
        return held.viewer
    claims = decode_access_token(token, keys=settings.secrets.token_keys)
    if claims is None:
        return None
    caller = await find_caller(session, session_id=claims.session_id, user_id=claims.user_id)
    return await _used(session, caller, address)


async def identify_browser(session: AsyncSession, token: str) -> Viewer | None:
    """Who holds this browser session."""
    return await _used(session, await find_browser_caller(session, token), None)


async def _used(
    session: AsyncSession, caller: SessionCaller | None, address: str | None
) -> Viewer | None:
    if caller is None:
        return None
    if caller.is_stale:
        await SessionRepository(session, SYSTEM).touch(caller.session_id)
    return Viewer(
        user_id=caller.user_id,
        username=caller.username,
        role=caller.role,
        session_id=caller.session_id,
        address=address,
    )


def _viewer(row: SignInSession, user: User, *, address: str | None = None) -> Viewer:
    return Viewer(
        user_id=user.id,
        username=user.username,
        role=user.platform_role,
        session_id=row.id,
        address=address,
    )


async def sign_in(
    sessions: SessionFactory, *, username: str, password: str, client: Client, settings: Settings
) -> TokenOut:
    """Password sign-in; failures are counted per account and per address.

    Anybody may ask for it, and a hash takes long: no connection and no lock is held meanwhile.
    What was true before the hash is asked again afterwards.
    """
    if not settings.auth.password_login:
        raise Forbidden("Passwords are not accepted here.", code="password_login_off")
    async with _signing_in.turn():
        async with transaction(sessions) as session:
            await attempts.refuse_too_many(
                session, username=username, address=client.address, auth=settings.auth
            )
            user = await UserRepository(session, SYSTEM).find_by_name(username)
            known = None if user is None else user.password_hash
        matches = await passwords.fits(password, known)
        async with transaction(sessions) as session:
            await attempts.hold_account(session, username)
            await attempts.refuse_too_many(
                session, username=username, address=client.address, auth=settings.auth
            )
            # Held: who resets the password or disables the account now ends the session, too.
            user = await UserRepository(session, SYSTEM).find_by_name(username, for_update=True)
            if user is None or not matches or user.password_hash != known or not _is_open(user):
                raise await _refused(session, username, user, client)
            return await open_session(session, user, client, settings, method="password")


def _is_open(user: User) -> bool:
    return user.disabled_at is None and user.kind == "person"


async def _refused(
    session: AsyncSession, username: str, user: User | None, client: Client
) -> CredentialsRejected:
    await attempts.count_failure(session, username=username, address=client.address)
    audit.record(
        session,
        None,
        Action.SIGN_IN_FAILED,
        None if user is None else audit.about(user),
        outcome="failed",
        actor_name=username,
        address=client.address,
        details={"method": "password"},
    )
    return CredentialsRejected(REJECTED)


async def sign_in_by_link(
    session: AsyncSession, *, token: str, client: Client, settings: Settings
) -> TokenOut:
    """A one-time link signs its user in once."""
    link = await links.present_link(
        session, token, ["sign_in"], address=client.address, auth=settings.auth
    )
    user = await links.spend_link(session, link)
    return await open_session(session, user, client, settings, method="link")


async def open_session(
    session: AsyncSession, user: User, client: Client, settings: Settings, *, method: SignInMethod
) -> TokenOut:
    """A session for somebody who has shown who they are."""
    row = SignInSession(
        user_id=user.id,
        kind="api",
        user_agent=client.user_agent,
        address=client.address,
        expires_at=await database_time(session, after=settings.auth.session_lifetime),
    )
    session.add(row)
    await session.flush()
    audit.record(
        session,
        _viewer(row, user, address=client.address),
        Action.SIGNED_IN,
        Subject("session", row.id),
        details={"method": method},
    )
    return await _issue(session, row, settings, rotate=True)


async def _issue(
    session: AsyncSession, row: SignInSession, settings: Settings, *, rotate: bool
) -> TokenOut:
    refresh_token = None
    if rotate:
        refresh_token = new_token(REFRESH_PREFIX)
        session.add(RefreshToken(token_hash=token_hash(refresh_token), session_id=row.id))
        await session.flush()
    lifetime = settings.auth.access_token_lifetime
    access_token = encode_access_token(
        AccessClaims(user_id=row.user_id, session_id=row.id),
        key=settings.secrets.token_key.get_secret_value(),
        lifetime=lifetime,
    )
    return TokenOut(
        access_token=access_token,
        expires_in=int(lifetime.total_seconds()),
        refresh_token=refresh_token,
    )


async def refresh(
    session: AsyncSession, *, token: str, client: Client, settings: Settings
) -> TokenOut:
    """A new access token; an API client's refresh token rotates, a browser's stays.

    A rotated token that comes back was stolen or replayed: its whole family ends.
    """
    ended = CredentialsRejected("This session has ended. Sign in again.")
    sessions = SessionRepository(session, SYSTEM)
    if token.startswith(BROWSER_PREFIX):
        found = await sessions.find_by_browser_token(token)
        if found is None:
            raise ended
        await sessions.touch(found[0].id)
        return await _issue(session, found[0], settings, rotate=False)
    spent = await spend_refresh_token(session, token)
    if spent is None:
        raise ended
    session_id, first_use = spent
    if not first_use:
        await _end_family(session, session_id, Action.REFRESH_REUSED, client.address)
        raise ended
    found = await sessions.find_with_user(SignInSession.id == session_id)
    if found is None:
        raise ended
    await sessions.touch(found[0].id)
    return await _issue(session, found[0], settings, rotate=True)


async def sign_out(session: AsyncSession, viewer: Viewer) -> None:
    """End the caller's session with all that came from the same sign-in."""
    if viewer.session_id is not None:
        await _end_family(session, viewer.session_id, Action.SIGNED_OUT, viewer.address)


async def sign_out_token(session: AsyncSession, token: str, *, address: str | None) -> None:
    """End the session that a refresh or browser token belongs to; unknown ones are fine."""
    if token.startswith(BROWSER_PREFIX):
        found = await SessionRepository(session, SYSTEM).find_by_browser_token(token)
        session_id = None if found is None else found[0].id
    else:
        spent = await spend_refresh_token(session, token)
        session_id = None if spent is None else spent[0]
    if session_id is not None:
        await _end_family(session, session_id, Action.SIGNED_OUT, address)


async def _end_family(
    session: AsyncSession, session_id: int, action: Action, address: str | None
) -> None:
    """End a sign-in and say so in the audit, once: what has ended already writes nothing."""
    if not await SessionRepository(session, SYSTEM).revoke_family(session_id):
        return
    row = await session.get_one(SignInSession, session_id)
    user = await session.get_one(User, row.user_id)
    audit.record(
        session,
        _viewer(row, user, address=address),
        action,
        Subject("session", session_id),
        outcome="denied" if action is Action.REFRESH_REUSED else "done",
    )


async def end_session(session: AsyncSession, viewer: Viewer, session_id: int) -> None:
    """End one of the caller's own sessions."""
    sessions = SessionRepository(session, viewer)
    await sessions.revoke(await sessions.get_own(session_id))
    audit.record(session, viewer, Action.SIGNED_OUT, Subject("session", session_id))


async def sign_out_everywhere(session: AsyncSession, viewer: Viewer) -> None:
    """End every session of the caller, this one too; personal tokens go on."""
    await SessionRepository(session, viewer).revoke_user(viewer.user_id)
    audit.record(
        session,
        viewer,
        Action.SIGNED_OUT_EVERYWHERE,
        Subject("user", viewer.user_id, viewer.username),
    )


async def make_ticket(session: AsyncSession, viewer: Viewer, auth: AuthSettings) -> str:
    """A ticket that a browser swaps for its cookie."""
    ticket = new_token(TICKET_PREFIX)
    session.add(
        Ticket(
            token_hash=token_hash(ticket),
            session_id=viewer.session_id,
            expires_at=await database_time(session, after=auth.ticket_lifetime),
        )
    )
    await session.flush()
    return ticket


async def redeem_ticket(session: AsyncSession, ticket: str) -> tuple[str, int]:
    """The browser session for a ticket and its remaining seconds; a ticket works once."""
    sessions = SessionRepository(session, SYSTEM)
    session_id = await spend_ticket(session, ticket)
    found = (
        None
        if session_id is None
        else await sessions.find_with_user(SignInSession.id == session_id)
    )
    if found is None:
        raise CredentialsRejected("This ticket is used up or expired.")
    parent, user = found
    token = new_token(BROWSER_PREFIX)
    session.add(
        SignInSession(
            user_id=user.id,
            parent_id=parent.parent_id or parent.id,
            kind="browser",
            token_hash=token_hash(token),
            user_agent=parent.user_agent,
            address=parent.address,
            expires_at=parent.expires_at,
        )
    )
    await session.flush()
    now = await database_time(session)
    return token, int((parent.expires_at - now).total_seconds())
