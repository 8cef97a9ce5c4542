"""The doors for people without an account or a password: registering, invitations, resets."""

from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts import links, passwords, service
from backend.accounts.attempts import count_registration
from backend.accounts.schemas import (
    LinkInfo,
    LinkPurpose,
    PasswordByLink,
    Registration,
    SignInOptions,
    TokenOut,
)
from backend.accounts.service import Client
from backend.accounts.users import add_user, first_hash, store_password
from backend.core.access import Role, Viewer
from backend.core.audit import Action, about, record
from backend.core.db import SessionFactory, transaction
from backend.core.errors import Conflict, Forbidden, field_error
from backend.core.security import mail_key, name_key
from backend.settings import AuthSettings, Settings, names
from backend.tables import User

# A stranger under such a name would be taken for somebody who runs the platform.
IMPRESSIVE_NAMES: Final = frozenset({"admin", "administrator", "root", "support"})
ANY_PURPOSE: Final[tuple[LinkPurpose, ...]] = ("sign_in", *links.PASSWORD_PURPOSES)


def sign_in_options(settings: Settings) -> SignInOptions:
    """Which ways in there are."""
    auth = settings.auth
    return SignInOptions(
        password=auth.password_login,
        registration=auth.registration if auth.password_login else "off",
        registration_domains=list(_domains(auth)),
        provider=settings.oidc.name if settings.oidc.issuer is not None else None,
    )


def _domains(auth: AuthSettings) -> tuple[str, ...]:
    found = names(auth.registration_domains) if auth.registration == "domains" else ()
    return tuple(domain.removeprefix("@").lower() for domain in found)


async def allow_try(session: AsyncSession, client: Client, auth: AuthSettings) -> None:
    """Refuse where nobody registers; else count the try, whatever becomes of it."""
    if auth.registration == "off" or not auth.password_login:
        raise Forbidden(
            "Accounts are made by an administrator here. Ask for an invitation.",
            code="registration_off",
        )
    await count_registration(session, address=client.address, auth=auth)


async def register(
    session: AsyncSession, data: Registration, client: Client, auth: AuthSettings
) -> User:
    """An account that somebody made for themselves; `allow_try` comes before it."""
    _refuse_foreign_domain(data.email, auth)
    if name_key(data.username) in IMPRESSIVE_NAMES:
        raise Conflict(f"The user name {data.username!r} is reserved.", code="name_taken")
    password_hash = await first_hash(data)
    user = User(
        username=data.username,
        username_key=name_key(data.username),
        display_name=data.display_name,
        email=data.email,
        role=Role.MEMBER.value,
        password_hash=password_hash,
    )
    await add_user(session, user)
    record(
        session,
        None,
        Action.USER_REGISTERED,
        about(user),
        actor_name=user.username,
        address=client.address,
    )
    return user


def _refuse_foreign_domain(email: str | None, auth: AuthSettings) -> None:
    if auth.registration != "domains":
        return
    if email is None:
        raise field_error("email", msg="a mail address is needed here", kind="missing")
    if mail_key(email).rpartition("@")[2] not in _domains(auth):
        raise field_error("email", msg=f"only addresses at {' or '.join(_domains(auth))}")


async def check_link(
    session: AsyncSession, token: str, client: Client, auth: AuthSettings
) -> LinkInfo:
    """What an open link is for; looking does not use it up."""
    link = await links.present_link(session, token, ANY_PURPOSE, address=client.address, auth=auth)
    user = await links.user_of(session, link)
    shown = {"purpose": link.purpose, "username": user.username, "expires_at": link.expires_at}
    return LinkInfo.model_validate(shown)


async def set_password_by_link(
    sessions: SessionFactory, data: PasswordByLink, client: Client, settings: Settings
) -> TokenOut:
    """Set the password that an invitation or a reset asks for, and sign in with it.

    A password that the rules refuse leaves the link as it was.
    """
    if not settings.auth.password_login:
        raise Forbidden("Passwords are not accepted here.", code="password_login_off")
    auth, address = settings.auth, client.address
    async with transaction(sessions) as session:
        link = await links.present_link(
            session, data.token, links.PASSWORD_PURPOSES, address=address, auth=auth
        )
        user = await links.user_of(session, link)
    password_hash = await passwords.accepted(
        data.new_password, field="new_password", username=user.username, email=user.email
    )
    method: Literal["invitation", "password_reset"] = (
        "invitation" if link.purpose == "invitation" else "password_reset"
    )
    async with transaction(sessions) as session:
        user = await links.spend_link(session, link)
        await store_password(session, user, password_hash)
        tokens = await service.open_session(session, user, client, settings, method=method)
        viewer = Viewer(user.id, user.username, user.platform_role, address=address)
        record(session, viewer, Action.PASSWORD_CHANGED, about(user), details={"by": method})
    return tokens
