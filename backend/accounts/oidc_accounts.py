"""Whose account a person at the OpenID provider is: known, linked by mail, or new."""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import users
from backend.accounts.administration import change_role, hold_administrators
from backend.accounts.oidc_provider import Person
from backend.accounts.registration import IMPRESSIVE_NAMES
from backend.accounts.schemas import DisplayName, Email, Username
from backend.accounts.user_repository import UserRepository, WaysIn
from backend.core import audit
from backend.core.access import SYSTEM, Role, Viewer
from backend.core.actions import Action
from backend.core.errors import AppError, Conflict
from backend.core.security import mail_key, name_key
from backend.settings import OidcSettings, names
from backend.tables import ExternalIdentity, User

_USERNAME: Final[TypeAdapter[str]] = TypeAdapter(Username)
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)
_DISPLAY_NAME: Final[TypeAdapter[str]] = TypeAdapter(DisplayName)
_UNFIT: Final = re.compile(r"[^\w.@+-]+")
_LONGEST_NAME: Final = 56
_NUMBERED_NAMES: Final = 20


class ProviderSignInRefused(AppError):
    """This sign-in was not accepted"""

    status = 403
    code = "oidc_refused"


async def find_or_make_account(
    session: AsyncSession, person: Person, oidc: OidcSettings, *, ways: WaysIn, address: str
) -> User:
    """The person's enabled account with the role that the provider's groups give it.

    Raises
    ------
    ProviderSignInRefused
        There is no account for this person; nothing was changed.
    """
    if oidc.maps_groups:
        await hold_administrators(session)
    # The first sign-ins of one person at the same time make one account.
    for key in _keys(person):
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    user = await _known(session, person)
    if user is None:
        user = await _with_verified_mail(session, person)
        if user is not None:
            _refuse_unusable(user)
            role = _role(person, oidc, present=user.platform_role)
            await _link(session, user, person, address=address)
        else:
            role = _role(person, oidc, present=None)
            return await _make(session, person, role, oidc, address=address)
    else:
        _refuse_unusable(user)
        role = _role(person, oidc, present=user.platform_role)
    await _set_role(session, user, role, ways=ways, address=address)
    return user


def _keys(person: Person) -> list[str]:
    """What two sign-ins may have in common, in an order that locks cannot cross."""
    keys = [f"identity {person.issuer} {person.subject}"]
    email = _email(person)
    if email is not None:
        keys.append(f"mail {mail_key(email)}")
    return sorted(keys)


async def _known(session: AsyncSession, person: Person) -> User | None:
    is_theirs = (
        ExternalIdentity.issuer == person.issuer,
        ExternalIdentity.subject == person.subject,
    )
    # The account first, then its identity, as whoever deletes it does: else both would wait.
    statement = (
        select(User)
        .join(ExternalIdentity, User.id == ExternalIdentity.user_id)
        .where(*is_theirs)
        .with_for_update(of=User, key_share=True)
    )
    user = (await session.execute(statement)).scalar_one_or_none()
    if user is not None:
        used = update(ExternalIdentity).where(*is_theirs).values(last_used_at=func.now())
        await session.execute(used)
    return user


async def _with_verified_mail(session: AsyncSession, person: Person) -> User | None:
    email = _email(person)
    if email is None:
        return None
    statement = (
        select(User)
        .where(
            func.lower(User.email.collate("C")) == mail_key(email),
            User.email_verified,
            User.deleted_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
    user = (await session.execute(statement)).scalar_one_or_none()
    if user is not None and not person.email_verified:
        raise ProviderSignInRefused(
            "The provider has not verified this mail address.", code="oidc_mail_not_verified"
        )
    if user is not None and await _has_identity_of(session, user, person.issuer):
        # Addresses are given again: who has this one now need not be who had it then.
        raise ProviderSignInRefused(
            "Somebody else signs in to the account with this mail address.",
            code="oidc_account_taken",
        )
    return user


async def _has_identity_of(session: AsyncSession, user: User, issuer: str) -> bool:
    theirs = exists().where(ExternalIdentity.user_id == user.id, ExternalIdentity.issuer == issuer)
    return bool(await session.scalar(select(theirs)))


def _refuse_unusable(user: User) -> None:
    if user.disabled_at is not None or user.deleted_at is not None or user.kind != "person":
        raise ProviderSignInRefused("This account is not open.", code="oidc_account_closed")


def _role(person: Person, oidc: OidcSettings, *, present: Role | None) -> Role:
    """Of the groups' roles the highest; without a mapping an account keeps its own."""
    if present is not None and not oidc.maps_groups:
        return present
    mapping = (
        (Role.ADMIN, oidc.admin_groups),
        (Role.MEMBER, oidc.member_groups),
        (Role.VIEWER, oidc.viewer_groups),
    )
    for role, groups in mapping:
        if person.groups.intersection(names(groups)):
            return role
    if oidc.default_role == "none":
        raise ProviderSignInRefused(
            "None of this person's groups may sign in.", code="oidc_role_refused"
        )
    return Role(oidc.default_role)


async def _set_role(
    session: AsyncSession, user: User, role: Role, *, ways: WaysIn, address: str
) -> None:
    """What the groups say, but the last administrator stays one."""
    if role is user.platform_role:
        return
    # The provider decides it, not the person.
    viewer = replace(SYSTEM, address=address)
    accounts = UserRepository(session, SYSTEM)
    is_last = user.platform_role is Role.ADMIN and not await accounts.someone_can_administer(
        ways, besides=user.id
    )
    if is_last:
        audit.record(
            session,
            viewer,
            Action.ROLE_CHANGED,
            audit.about(user),
            outcome="denied",
            details={"to": role.value, "by": "groups", "reason": "last_admin"},
        )
    else:
        await change_role(session, viewer, user, role, by="groups")


async def _make(
    session: AsyncSession, person: Person, role: Role, oidc: OidcSettings, *, address: str
) -> User:
    if not oidc.create_accounts:
        raise ProviderSignInRefused("There is no account for this person.", code="oidc_no_account")
    email = _email(person)
    for username in _usernames(person):
        user = User(
            username=username,
            username_key=name_key(username),
            display_name=_valid(_DISPLAY_NAME, person.display_name[:200]) or "",
            email=email,
            email_verified=email is not None and person.email_verified,
            role=role.value,
        )
        try:
            await users.add_user(session, user)
        except Conflict:
            continue
        details = {"method": "oidc", "role": role.value}
        audit.record(
            session,
            _viewer(user, address),
            Action.USER_REGISTERED,
            audit.about(user),
            details=details,
        )
        await _link(session, user, person, address=address)
        return user
    raise ProviderSignInRefused("No user name is free.", code="oidc_no_account")


def _usernames(person: Person) -> Iterator[str]:
    """The person's own name, made valid; then with a number, until one is free."""
    wanted = person.preferred_name or (person.email or "").partition("@")[0]
    fit = _UNFIT.sub("-", unicodedata.normalize("NFKC", wanted))[:_LONGEST_NAME].strip(".@+-")
    name = _valid(_USERNAME, fit) or "person"
    if name_key(name) not in IMPRESSIVE_NAMES:
        yield name
    for number in range(2, _NUMBERED_NAMES):
        yield f"{name}-{number}"
    yield f"{name}-{secrets.token_hex(3)}"


def _email(person: Person) -> str | None:
    """The mail address if it is one that an account may have."""
    return _valid(_EMAIL, person.email)


def _valid(kind: TypeAdapter[str], text: str | None) -> str | None:
    try:
        return None if text is None else kind.validate_python(text)
    except ValidationError:
        return None


async def _link(session: AsyncSession, user: User, person: Person, *, address: str) -> None:
    session.add(ExternalIdentity(user_id=user.id, issuer=person.issuer, subject=person.subject))
    await session.flush()
    audit.record(
        session,
        _viewer(user, address),
        Action.IDENTITY_LINKED,
        audit.about(user),
        details={"issuer": person.issuer},
    )


def _viewer(user: User, address: str) -> Viewer:
    """The person as the actor of what their own sign-in does."""
    return Viewer(user_id=user.id, username=user.username, role=user.platform_role, address=address)
