"""Signing in and out, one's own account, and its management by administrators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Response, status

from backend.accounts import service
from backend.accounts.dependencies import (
    AdminDep,
    ClientDep,
    ViewerDep,
    require_service_key,
)
from backend.accounts.repository import SessionRepository, UserRepository
from backend.accounts.schemas import (
    BrowserSessionOut,
    Identity,
    Introspect,
    LinkSignIn,
    Logout,
    PasswordChange,
    SessionList,
    SessionOut,
    TicketOut,
    TicketRedeem,
    TokenOut,
    UserCreate,
    UserOut,
    UserUpdate,
)
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.errors import field_error
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.schemas import Id, Page, Secret, StorableText
from backend.core.security import BROWSER_PREFIX
from backend.tables import User

router = APIRouter(tags=["accounts"])
# Called by the dashboard and by MLflow's gate; never meant for people.
internal = APIRouter(
    prefix="/internal", include_in_schema=False, dependencies=[Depends(require_service_key)]
)


@router.post("/auth/token")
async def create_token(
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    response: Response,
    *,
    grant_type: Annotated[Literal["password", "refresh_token"], Form()] = "password",
    username: Annotated[StorableText | None, Form(max_length=1_000)] = None,
    password: Annotated[Secret | None, Form()] = None,
    refresh_token: Annotated[Secret | None, Form()] = None,
) -> TokenOut:
    """OAuth2: sign in with a password, or go on with a refresh token."""
    response.headers["Cache-Control"] = "no-store"
    if grant_type == "refresh_token":
        if refresh_token is None:
            raise field_error("refresh_token", msg="this grant needs a refresh token")
        return await service.refresh(session, token=refresh_token, settings=settings)
    if username is None or password is None:
        missing = "username" if username is None else "password"
        raise field_error(missing, msg=f"this grant needs a {missing}", kind="missing")
    return await service.sign_in(
        session, username=username, password=password, client=client, settings=settings
    )


@router.post("/auth/link")
async def sign_in_by_link(
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    data: LinkSignIn,
    response: Response,
) -> TokenOut:
    """Sign in with a one-time link."""
    response.headers["Cache-Control"] = "no-store"
    return await service.sign_in_by_link(
        session, token=data.token, client=client, settings=settings
    )


@router.post("/auth/logout", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(session: SessionDep, viewer: ViewerDep, data: Logout | None = None) -> None:
    """End this session and every browser session that came from it."""
    await service.sign_out(session, viewer)
    if data is not None and data.refresh_token is not None:
        await service.sign_out_token(session, data.refresh_token)


@router.post("/auth/ticket")
async def create_ticket(
    session: SessionDep, viewer: ViewerDep, settings: SettingsDep, response: Response
) -> TicketOut:
    """A ticket that a browser swaps for its HttpOnly cookie, once and within a minute."""
    response.headers["Cache-Control"] = "no-store"
    ticket = await service.make_ticket(session, viewer, settings.auth)
    return TicketOut(ticket=ticket, expires_in=int(settings.auth.ticket_lifetime.total_seconds()))


@internal.post("/tickets/redeem")
async def redeem_ticket(session: SessionDep, data: TicketRedeem) -> BrowserSessionOut:
    """The cookie for a ticket."""
    token, max_age = await service.redeem_ticket(session, data.ticket)
    return BrowserSessionOut(session=token, max_age=max_age)


@internal.post("/introspect")
async def introspect(session: SessionDep, settings: SettingsDep, data: Introspect) -> Identity:
    """Who holds this access token or browser session."""
    if data.token.startswith(BROWSER_PREFIX):
        viewer = await service.identify_browser(session, data.token)
    else:
        viewer = await service.identify(session, data.token, settings)
    if viewer is None:
        return Identity(active=False)
    return Identity(active=True, user_id=viewer.user_id, username=viewer.username, role=viewer.role)


@internal.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out_browser(session: SessionDep, data: Introspect) -> None:
    """End the session of a cookie."""
    await service.sign_out_token(session, data.token)


def _user_out(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        username=user.username,
        email=user.email,
        role=user.platform_role,
        has_password=user.password_hash is not None,
        disabled=user.disabled_at is not None,
        created_at=user.created_at,
    )


@router.get("/users/me")
async def read_me(session: SessionDep, viewer: ViewerDep, response: Response) -> UserOut:
    """The caller's own account."""
    me = _user_out(await UserRepository(session, viewer).get(viewer.user_id))
    send_etag(response, me)
    return me


@router.patch("/users/me")
async def update_me(
    session: SessionDep,
    viewer: ViewerDep,
    data: UserUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> UserOut:
    """Change one's own mail address."""
    user = await UserRepository(session, viewer).get(viewer.user_id, for_update=True)
    check_match(if_match, _user_out(user))
    user.email = data.email
    await session.flush()
    me = _user_out(user)
    send_etag(response, me)
    return me


@router.post("/users/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(session: SessionDep, viewer: ViewerDep, data: PasswordChange) -> None:
    """Set one's password; every other session of the account ends."""
    await service.change_password(session, viewer, old=data.old_password, new=data.new_password)


@router.get("/users/me/sessions")
async def list_sessions(session: SessionDep, viewer: ViewerDep) -> SessionList:
    """Where the account is signed in."""
    rows = await SessionRepository(session, viewer).list_own()
    return SessionList(
        items=[
            SessionOut.model_validate(
                {
                    **{
                        name: getattr(row, name)
                        for name in SessionOut.model_fields
                        if name != "current"
                    },
                    "current": row.id == viewer.session_id,
                }
            )
            for row in rows
        ]
    )


@router.delete("/users/me/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(session: SessionDep, viewer: ViewerDep, session_id: Id) -> None:
    """End one of one's own sessions."""
    sessions = SessionRepository(session, viewer)
    await sessions.revoke(await sessions.get_own(session_id))


@router.get("/users")
async def list_users(
    session: SessionDep, viewer: AdminDep, page: PageDep, signer: SignerDep
) -> Page[UserOut]:
    """All accounts, for administrators."""
    rows, next_cursor = await UserRepository(session, viewer).page(page, signer)
    return Page[UserOut](items=[_user_out(row) for row in rows], next_cursor=next_cursor)


@router.post("/users", status_code=status.HTTP_201_CREATED)
async def create_user(
    session: SessionDep, _admin: AdminDep, data: UserCreate, response: Response
) -> UserOut:
    """A new account, made by an administrator."""
    user = _user_out(await service.create_user(session, data))
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    send_etag(response, user)
    return user


@router.get("/users/{user_id}")
async def read_user(
    session: SessionDep, viewer: AdminDep, user_id: Id, response: Response
) -> UserOut:
    """One account, for administrators."""
    user = _user_out(await UserRepository(session, viewer).get(user_id))
    send_etag(response, user)
    return user
