"""Signing in and out, one's own account, and its management by administrators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Response, status

from backend.accounts import service
from backend.accounts.dependencies import (
    ClientDep,
    PersonDep,
    require_service_key,
)
from backend.accounts.repository import SessionRepository
from backend.accounts.schemas import (
    BrowserSessionOut,
    Identity,
    Introspect,
    LinkToken,
    Logout,
    SessionList,
    SessionOut,
    TicketOut,
    TicketRedeem,
    TokenOut,
)
from backend.core.deps import SessionDep, SessionsDep, SettingsDep
from backend.core.errors import field_error
from backend.core.schemas import Id, Secret, StorableText
from backend.core.security import BROWSER_PREFIX

router = APIRouter(tags=["accounts"])
# Called by the dashboard and by MLflow's gate; never meant for people.
internal = APIRouter(
    prefix="/internal", include_in_schema=False, dependencies=[Depends(require_service_key)]
)


@router.post("/auth/token")
async def create_token(
    session: SessionDep,
    sessions: SessionsDep,
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
        return await service.refresh(session, token=refresh_token, client=client, settings=settings)
    if username is None or password is None:
        missing = "username" if username is None else "password"
        raise field_error(missing, msg=f"this grant needs a {missing}", kind="missing")
    return await service.sign_in(
        sessions, username=username, password=password, client=client, settings=settings
    )


@router.post("/auth/link")
async def sign_in_by_link(
    session: SessionDep,
    settings: SettingsDep,
    client: ClientDep,
    data: LinkToken,
    response: Response,
) -> TokenOut:
    """Sign in with a one-time link."""
    response.headers["Cache-Control"] = "no-store"
    return await service.sign_in_by_link(
        session, token=data.token, client=client, settings=settings
    )


@router.post("/auth/logout", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(session: SessionDep, viewer: PersonDep, data: Logout | None = None) -> None:
    """End this session and every browser session that came from it."""
    await service.sign_out(session, viewer)
    if data is not None and data.refresh_token is not None:
        await service.sign_out_token(session, data.refresh_token, address=viewer.address)


@router.post("/auth/ticket")
async def create_ticket(
    session: SessionDep, viewer: PersonDep, settings: SettingsDep, response: Response
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
    """Who holds this access token, personal token or browser session."""
    if data.token.startswith(BROWSER_PREFIX):
        viewer = await service.identify_browser(session, data.token)
    else:
        viewer = await service.identify(session, data.token, settings)
    if viewer is None:
        return Identity(active=False)
    return Identity(
        active=True,
        user_id=viewer.user_id,
        username=viewer.username,
        role=viewer.role,
        scope=viewer.scope,
        project_id=viewer.project_id,
    )


@internal.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out_browser(session: SessionDep, client: ClientDep, data: Introspect) -> None:
    """End the session of a cookie."""
    await service.sign_out_token(session, data.token, address=client.address)


@router.get("/users/me/sessions")
async def list_sessions(session: SessionDep, viewer: PersonDep) -> SessionList:
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


@router.delete("/users/me/sessions", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out_everywhere(session: SessionDep, viewer: PersonDep) -> None:
    """End every session of the account, this one too; its tokens go on."""
    await service.sign_out_everywhere(session, viewer)


@router.delete("/users/me/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(session: SessionDep, viewer: PersonDep, session_id: Id) -> None:
    """End one of one's own sessions."""
    await service.end_session(session, viewer, session_id)
