"""Who is calling, as a dependency: the permission stands in the route's signature."""

import hmac
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer

from backend.accounts import service
from backend.accounts.service import Client
from backend.core.access import Scope, Viewer
from backend.core.db import transaction
from backend.core.deps import SettingsDep
from backend.core.errors import Forbidden, PersonRequired, ScopeTooLow, Unauthenticated
from backend.settings import Settings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)
TokenDep = Annotated[str | None, Depends(_bearer)]


async def get_client(request: Request, settings: SettingsDep) -> Client:
    """Address and browser of the caller, cut to what is worth keeping.

    The dashboard calls for many browsers. It says for which one, and proves that it is the
    dashboard; what anybody else says of their address does not count.
    """
    address = request.client.host if request.client else "unknown"
    told = request.headers.get("x-goodfit-client-address")
    if told and _is_service_key(request.headers.get("x-goodfit-service-key", ""), settings):
        address = told[:100]
    agent = request.headers.get("user-agent")
    return Client(address=address, user_agent=agent[:200] if agent else None)


ClientDep = Annotated[Client, Depends(get_client)]


def _require_scope(viewer: Viewer, needed: Scope) -> None:
    if not viewer.scope.includes(needed):
        raise ScopeTooLow(f"This token is for {viewer.scope.value}; this needs {needed.value}.")


async def _identified(
    request: Request, settings: Settings, client: Client, token: str | None
) -> Viewer:
    # In no transaction: an upload of minutes must not hold the row that signing out changes.
    async with transaction(request.app.state.read_sessions) as session:
        viewer = (
            await service.identify(session, token, settings, address=client.address)
            if token
            else None
        )
    if viewer is None:
        raise Unauthenticated
    # For the audit of what is refused later on.
    request.state.viewer = viewer
    return viewer


async def get_viewer(
    request: Request, settings: SettingsDep, client: ClientDep, token: TokenDep
) -> Viewer:
    """The caller behind a valid access token or personal token."""
    viewer = await _identified(request, settings, client, token)
    _require_scope(viewer, Scope.READ if request.method in SAFE_METHODS else Scope.WRITE)
    return viewer


ViewerDep = Annotated[Viewer, Depends(get_viewer, scope="function")]


async def get_reader(
    request: Request, settings: SettingsDep, client: ClientDep, token: TokenDep
) -> Viewer:
    """The caller of a route that gives out what they may read, though it is a POST."""
    viewer = await _identified(request, settings, client, token)
    _require_scope(viewer, Scope.READ)
    return viewer


ReaderDep = Annotated[Viewer, Depends(get_reader, scope="function")]


async def get_predicting(
    request: Request, settings: SettingsDep, client: ClientDep, token: TokenDep
) -> Viewer:
    """The caller of a route that predicts, or says what a model is asked."""
    viewer = await _identified(request, settings, client, token)
    _require_scope(viewer, Scope.PREDICT)
    return viewer


PredictDep = Annotated[Viewer, Depends(get_predicting, scope="function")]


async def get_person(viewer: ViewerDep) -> Viewer:
    """Somebody who signed in: a token never makes accounts, passwords or tokens."""
    if not viewer.is_person:
        raise PersonRequired("A token cannot do this. Sign in, and do it there.")
    return viewer


PersonDep = Annotated[Viewer, Depends(get_person, scope="function")]


async def get_writer(viewer: ViewerDep) -> Viewer:
    """A caller whose role may make and change things."""
    if not viewer.may_write:
        raise Forbidden("Your account may read only. An administrator can change your role.")
    return viewer


WriterDep = Annotated[Viewer, Depends(get_writer, scope="function")]


async def get_admin(viewer: ViewerDep) -> Viewer:
    """An administrator, with a token only where that reaches everything."""
    if not viewer.sees_everything:
        raise Forbidden("This is for administrators.")
    return viewer


AdminDep = Annotated[Viewer, Depends(get_admin, scope="function")]


async def get_admin_person(viewer: PersonDep) -> Viewer:
    """An administrator who signed in."""
    return await get_admin(viewer)


AdminPersonDep = Annotated[Viewer, Depends(get_admin_person, scope="function")]


async def require_service_key(
    settings: SettingsDep, x_goodfit_service_key: Annotated[str, Header()] = ""
) -> None:
    """Only the platform's own processes know the service key."""
    if not _is_service_key(x_goodfit_service_key, settings):
        raise Unauthenticated


def _is_service_key(key: str, settings: Settings) -> bool:
    expected = settings.secrets.service_key.get_secret_value()
    return hmac.compare_digest(key.encode(), expected.encode())
