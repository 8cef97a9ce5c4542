"""Signing in, staying signed in, signing out; making accounts."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import passwords
from backend.accounts.repository import (
    SessionRepository,
    UserRepository,
    count_attempts,
    spend_link,
    spend_refresh_token,
    spend_ticket,
)
from backend.accounts.schemas import TokenOut
from backend.core.access import SYSTEM, Viewer
from backend.core.db import database_time
from backend.core.errors import (
    CredentialsRejected,
    TooManyRequests,
)
from backend.core.security import (
    BROWSER_PREFIX,
    REFRESH_PREFIX,
    TICKET_PREFIX,
    AccessClaims,
    decode_access_token,
    encode_access_token,
    name_key,
    new_token,
    token_hash,
)
from backend.settings import AuthSettings, Settings
from backend.tables import (
    RefreshToken,
    SignInAttempt,
    SignInSession,
    Ticket,
    User,
)

# One text for unknown, wrong and disabled: the answer must not tell accounts apart.
REJECTED = "Incorrect username or password."


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in comes from."""

    address: str
    user_agent: str | None


async def identify(
    session: AsyncSession, token: str, settings: Settings, *, address: str | None = None
) -> Viewer | None:
    """Who holds this access token now: signing out, disabling or a new role count at once."""
    key = settings.secrets.token_key.get_secret_value()
    claims = decode_access_token(token, key=key)
    if claims is None:
        return None
    sessions = SessionRepository(session, SYSTEM)
    found = await sessions.find_with_user(SignInSession.id == claims.session_id)
    if found is None or found[1].id != claims.user_id:
        return None
    await sessions.touch(found[0])
    return _viewer(*found, address=address)


async def identify_browser(session: AsyncSession, token: str) -> Viewer | None:
    """Who holds this browser session."""
    found = await SessionRepository(session, SYSTEM).find_by_browser_token(token)
    return None if found is None else _viewer(*found)


def _viewer(row: SignInSession, user: User, *, address: str | None = None) -> Viewer:
    return Viewer(
        user_id=user.id,
        username=user.username,
        role=user.platform_role,
        session_id=row.id,
        address=address,
    )


async def sign_in(
    session: AsyncSession, *, username: str, password: str, client: Client, settings: Settings
) -> TokenOut:
    """Password sign-in; failures are counted per account and per address."""
    # One try per account at a time, or parallel tries would all be counted as the first.
    await session.execute(select(func.pg_advisory_xact_lock(_account_lock(username))))
    await _refuse_too_many(session, username, client, settings.auth)
    user = await UserRepository(session, SYSTEM).find_by_name(username)
    password_hash = user.password_hash if user else None
    matches = await passwords.fits(password, password_hash)
    if user is None or not matches or user.disabled_at is not None:
        session.add(SignInAttempt(account_key=name_key(username)[:200], address=client.address))
        await session.flush()
        raise CredentialsRejected(REJECTED)
    return await open_session(session, user, client, settings)


def _account_lock(username: str) -> ColumnElement[int]:
    return func.hashtextextended(f"sign in {name_key(username)[:200]}", 0)


async def _refuse_too_many(
    session: AsyncSession, username: str, client: Client, auth: AuthSettings
) -> None:
    attempts = await count_attempts(
        session,
        account_key=name_key(username)[:200],
        address=client.address,
        since=auth.attempt_window,
    )
    oldest = [
        counted.oldest
        for counted, limit in (
            (attempts.by_account, auth.attempts_per_account),
            (attempts.by_address, auth.attempts_per_address),
        )
        if counted.number >= limit and counted.oldest is not None
    ]
    if not oldest:
        return
    wait = auth.attempt_window - (await database_time(session) - max(oldest))
    seconds = max(1, int(wait.total_seconds()) + 1)
    raise TooManyRequests(
        f"Too many failed sign-ins. Try again in {-(-seconds // 60)} min.",
        headers={"Retry-After": str(seconds)},
    )


async def sign_in_by_link(
    session: AsyncSession, *, token: str, client: Client, settings: Settings
) -> TokenOut:
    """A one-time link signs its user in once."""
    user_id = await spend_link(session, token)
    user = None if user_id is None else await session.get(User, user_id)
    if user is None or user.disabled_at is not None:
        raise CredentialsRejected("This sign-in link is used up, expired or unknown.")
    return await open_session(session, user, client, settings)


async def open_session(
    session: AsyncSession, user: User, client: Client, settings: Settings
) -> TokenOut:
    row = SignInSession(
        user_id=user.id,
        kind="api",
        user_agent=client.user_agent,
        address=client.address,
        expires_at=await database_time(session, after=settings.auth.session_lifetime),
    )
    session.add(row)
    await session.flush()
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


async def refresh(session: AsyncSession, *, token: str, settings: Settings) -> TokenOut:
    """A new access token; an API client's refresh token rotates, a browser's stays.

    A rotated token that comes back was stolen or replayed: its whole family ends.
    """
    ended = CredentialsRejected("This session has ended. Sign in again.")
    sessions = SessionRepository(session, SYSTEM)
    if token.startswith(BROWSER_PREFIX):
        found = await sessions.find_by_browser_token(token)
        if found is None:
            raise ended
        await sessions.touch(found[0])
        return await _issue(session, found[0], settings, rotate=False)
    spent = await spend_refresh_token(session, token)
    if spent is None:
        raise ended
    session_id, first_use = spent
    if not first_use:
        await sessions.revoke_family(session_id)
        raise ended
    found = await sessions.find_with_user(SignInSession.id == session_id)
    if found is None:
        raise ended
    await sessions.touch(found[0])
    return await _issue(session, found[0], settings, rotate=True)


async def sign_out(session: AsyncSession, viewer: Viewer) -> None:
    """End the caller's session with all that came from the same sign-in."""
    if viewer.session_id is not None:
        await SessionRepository(session, viewer).revoke_family(viewer.session_id)


async def sign_out_token(session: AsyncSession, token: str) -> None:
    """End the session that a refresh or browser token belongs to; unknown ones are fine."""
    sessions = SessionRepository(session, SYSTEM)
    if token.startswith(BROWSER_PREFIX):
        found = await sessions.find_by_browser_token(token)
        session_id = None if found is None else found[0].id
    else:
        spent = await spend_refresh_token(session, token)
        session_id = None if spent is None else spent[0]
    if session_id is not None:
        await sessions.revoke_family(session_id)


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
