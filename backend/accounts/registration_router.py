"""Routes for people without an account or a password; none of them needs a sign-in."""

from fastapi import APIRouter, Depends, Request, Response, status

from backend.accounts import registration
from backend.accounts.dependencies import ClientDep
from backend.accounts.schemas import (
    LinkInfo,
    LinkToken,
    PasswordByLink,
    Registration,
    SignInOptions,
    TokenOut,
    UserOut,
)
from backend.accounts.users import user_out
from backend.core.db import transaction
from backend.core.deps import SessionDep, SessionsDep, SettingsDep

router = APIRouter(prefix="/auth", tags=["accounts"])


@router.get("/options")
async def read_options(settings: SettingsDep) -> SignInOptions:
    """Which ways in there are."""
    return registration.sign_in_options(settings)


async def allow_try(request: Request, settings: SettingsDep, client: ClientDep) -> None:
    """In a transaction of its own: a try counts although the registration is refused."""
    async with transaction(request.app.state.sessions) as session:
        await registration.allow_try(session, client, settings.auth)


@router.post("/register", status_code=status.HTTP_201_CREATED, dependencies=[Depends(allow_try)])
async def register(
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    data: Registration,
    response: Response,
) -> UserOut:
    """Make an account for oneself, where the settings allow it."""
    response.headers["Cache-Control"] = "no-store"
    return user_out(await registration.register(session, data, client, settings.auth))


@router.post("/links/check")
async def check_link(
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    data: LinkToken,
    response: Response,
) -> LinkInfo:
    """What a one-time link is for; it stays unused."""
    response.headers["Cache-Control"] = "no-store"
    return await registration.check_link(session, data.token, client, settings.auth)


@router.post("/password")
async def set_password(
    sessions: SessionsDep,
    settings: SettingsDep,
    client: ClientDep,
    data: PasswordByLink,
    response: Response,
) -> TokenOut:
    """Set a password with an invitation or reset link; it signs in and ends other sessions."""
    response.headers["Cache-Control"] = "no-store"
    return await registration.set_password_by_link(sessions, data, client, settings)
