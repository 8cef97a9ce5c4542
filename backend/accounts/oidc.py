"""Signing in with an account at an OpenID provider: there, back, and in.

Three short steps without a transaction around the provider: remember the flow, spend it, then
open the session. The browser holds a key of which the `state` is a digest: who reads the
provider's address, or its answer's, cannot end the flow in another browser.
"""

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts.attempts import count_failure, refuse_too_many
from backend.accounts.oidc_accounts import ProviderSignInRefused, find_or_make_account
from backend.accounts.oidc_provider import AnswerRefused, Person, Provider, ProviderAway
from backend.accounts.service import Client
from backend.accounts.user_repository import WaysIn
from backend.core import audit
from backend.core.access import Viewer
from backend.core.actions import Action
from backend.core.db import SessionFactory, database_time, transaction
from backend.core.errors import AppError, Unavailable
from backend.core.security import BROWSER_PREFIX, new_token, token_hash
from backend.settings import Settings
from backend.tables import OidcFlow, SignInSession, User

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """A flow under way: where the browser goes, and the key that it keeps."""

    address: str
    key: str
    state: str
    max_age: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The browser's session, its remaining seconds, and the page that was asked for."""

    session: str
    max_age: int
    wanted: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brings back; the provider gives a code, or an error."""

    key: str
    state: str
    code: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class _Spent:
    nonce: str
    verifier: str
    wanted: str


def state_of(key: str) -> str:
    """The `state` of the flow whose key the browser holds."""
    digest = hashlib.sha256(f"goodfit oidc {key}".encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


async def start(
    sessions: SessionFactory,
    provider: Provider,
    settings: Settings,
    *,
    wanted: str,
    client: Client,
) -> Started:
    """A new flow; the provider is asked first, so that one that is away leaves nothing behind."""
    key = secrets.token_urlsafe(32)
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    state = state_of(key)
    try:
        address = await provider.sign_in_address(state=state, nonce=nonce, verifier=verifier)
    except (ProviderAway, AnswerRefused) as error:
        raise _away(error) from error
    lifetime = settings.oidc.flow_lifetime
    async with transaction(sessions) as session:
        await refuse_too_many(session, username=None, address=client.address, auth=settings.auth)
        session.add(
            OidcFlow(
                state_hash=token_hash(state),
                nonce=nonce,
                code_verifier=verifier,
                wanted=wanted,
                expires_at=await database_time(session, after=lifetime),
            )
        )
    return Started(address, key, state, int(lifetime.total_seconds()))


async def finish(
    sessions: SessionFactory,
    provider: Provider,
    settings: Settings,
    *,
    returned: Returned,
    client: Client,
) -> Finished:
    """A session for whom the provider vouches; every refusal is noted in the audit, and counts.

    Raises
    ------
    TooManyRequests
        Too many refusals at this address. This one is not noted: nobody empties the audit.
    """
    person: Person | None = None
    async with transaction(sessions) as session:
        await refuse_too_many(session, username=None, address=client.address, auth=settings.auth)
    try:
        spent = await _spend(sessions, returned)
        person = await _ask(provider, spent, returned)
        async with transaction(sessions) as session:
            user = await find_or_make_account(
                session,
                person,
                settings.oidc,
                ways=WaysIn.of(settings),
                address=client.address,
            )
            token, max_age = await _open_session(session, user, client, settings)
        return Finished(token, max_age, spent.wanted)
    except (ProviderSignInRefused, Unavailable) as refusal:
        await _note(sessions, refusal, person, client)
        raise


async def _spend(sessions: SessionFactory, returned: Returned) -> _Spent:
    """The flow of this browser, once: the UPDATE decides between parallel returns."""
    expired = ProviderSignInRefused("This sign-in took too long.", code="oidc_expired")
    if not hmac.compare_digest(state_of(returned.key).encode(), returned.state.encode()):
        raise expired
    statement = (
        update(OidcFlow)
        .where(
            OidcFlow.state_hash == token_hash(returned.state),
            OidcFlow.used_at.is_(None),
            OidcFlow.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(OidcFlow.nonce, OidcFlow.code_verifier, OidcFlow.wanted)
    )
    async with transaction(sessions) as session:
        row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise expired
    return _Spent(row[0], row[1], row[2])


async def _ask(provider: Provider, spent: _Spent, returned: Returned) -> Person:
    if returned.code is None:
        is_cancelled = returned.error == "access_denied"
        raise ProviderSignInRefused(
            "The provider did not sign this person in.",
            code="oidc_cancelled" if is_cancelled else "oidc_refused",
        )
    try:
        return await provider.person(code=returned.code, verifier=spent.verifier, nonce=spent.nonce)
    except ProviderAway as error:
        raise _away(error) from error
    except AnswerRefused as error:
        _log.warning("the provider's answer was refused: %s", error)
        raise ProviderSignInRefused("The provider's answer was not accepted.") from error


def _away(error: Exception) -> Unavailable:
    _log.warning("the provider is away: %s", error)
    return Unavailable("The OpenID provider does not answer.", code="oidc_unavailable")


async def _open_session(
    session: AsyncSession, user: User, client: Client, settings: Settings
) -> tuple[str, int]:
    token = new_token(BROWSER_PREFIX)
    lifetime = settings.auth.session_lifetime
    row = SignInSession(
        user_id=user.id,
        kind="browser",
        token_hash=token_hash(token),
        user_agent=client.user_agent,
        address=client.address,
        expires_at=await database_time(session, after=lifetime),
    )
    session.add(row)
    await session.flush()
    viewer = Viewer(
        user_id=user.id,
        username=user.username,
        role=user.platform_role,
        session_id=row.id,
        address=client.address,
    )
    audit.record(session, viewer, Action.SIGNED_IN, audit.about(row), details={"method": "oidc"})
    return token, int(lifetime.total_seconds())


async def _note(
    sessions: SessionFactory, refusal: AppError, person: Person | None, client: Client
) -> None:
    name = None if person is None else person.preferred_name or person.email or person.subject
    async with transaction(sessions) as session:
        await count_failure(session, username=None, address=client.address)
        audit.record(
            session,
            None,
            Action.SIGN_IN_FAILED,
            outcome="failed",
            actor_name=name,
            address=client.address,
            details={"method": "oidc", "reason": refusal.problem_code},
        )
