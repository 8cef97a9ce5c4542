"""Who is calling, as a dependency: the permission stands in the route's signature."""

import hmac
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer

from backend.accounts import service
from backend.accounts.service import Client
from backend.core.access import Role, Viewer
from backend.core.deps import ReadSessionDep, SessionDep, SettingsDep
from backend.core.errors import Forbidden, Unauthenticated

_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)


async def get_viewer(
    session: SessionDep, settings: SettingsDep, token: Annotated[str | None, Depends(_bearer)]
) -> Viewer:
    """The caller behind a valid access token."""
    viewer = await service.identify(session, token, settings) if token else None
    if viewer is None:
        raise Unauthenticated
    return viewer


ViewerDep = Annotated[Viewer, Depends(get_viewer, scope="function")]


async def get_reader(
    session: ReadSessionDep, settings: SettingsDep, token: Annotated[str | None, Depends(_bearer)]
) -> Viewer:
    """The caller of a route that only looks something up."""
    return await get_viewer(session, settings, token)


ReaderDep = Annotated[Viewer, Depends(get_reader, scope="function")]


async def get_writer(viewer: ViewerDep) -> Viewer:
    """A caller whose role may make and change things."""
    if not viewer.may_write:
        raise Forbidden("Your account may read only. An administrator can change your role.")
    return viewer


WriterDep = Annotated[Viewer, Depends(get_writer, scope="function")]


async def get_admin(viewer: ViewerDep) -> Viewer:
    """An administrator."""
    if viewer.role is not Role.ADMIN:
        raise Forbidden("This is for administrators.")
    return viewer


AdminDep = Annotated[Viewer, Depends(get_admin, scope="function")]


async def require_service_key(
    settings: SettingsDep, x_goodfit_service_key: Annotated[str, Header()] = ""
) -> None:
    """Only the platform's own processes know the service key."""
    expected = settings.secrets.service_key.get_secret_value()
    if not hmac.compare_digest(x_goodfit_service_key.encode(), expected.encode()):
        raise Unauthenticated


async def get_client(request: Request) -> Client:
    """Address and browser of the caller, cut to what is worth keeping."""
    address = request.client.host if request.client else "unknown"
    agent = request.headers.get("user-agent")
    return Client(address=address, user_agent=agent[:200] if agent else None)


ClientDep = Annotated[Client, Depends(get_client)]
