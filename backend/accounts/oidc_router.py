"""The two steps of a sign-in with a provider, asked by the dashboard for a browser."""

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts import oidc
from backend.accounts.dependencies import ClientDep, require_service_key
from backend.accounts.oidc_provider import Provider
from backend.accounts.schemas import ProviderReturn, ProviderSession, ProviderStart, ProviderStarted
from backend.core.deps import SettingsDep
from backend.core.errors import NotFound

internal = APIRouter(
    prefix="/internal/oidc", include_in_schema=False, dependencies=[Depends(require_service_key)]
)


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise NotFound("There is no OpenID provider here.")
    return provider


@internal.post("/start")
async def start(
    request: Request,
    settings: SettingsDep,
    client: ClientDep,
    data: ProviderStart,
    response: Response,
) -> ProviderStarted:
    """Where the browser goes, and the key that it keeps meanwhile."""
    response.headers["Cache-Control"] = "no-store"
    started = await oidc.start(
        request.app.state.sessions, _provider(request), settings, wanted=data.next, client=client
    )
    return ProviderStarted(
        address=started.address, key=started.key, state=started.state, max_age=started.max_age
    )


@internal.post("/finish")
async def finish(
    request: Request,
    settings: SettingsDep,
    client: ClientDep,
    data: ProviderReturn,
    response: Response,
) -> ProviderSession:
    """The browser's session, for what it brought back from the provider."""
    response.headers["Cache-Control"] = "no-store"
    finished = await oidc.finish(
        request.app.state.sessions,
        _provider(request),
        settings,
        returned=oidc.Returned(key=data.key, state=data.state, code=data.code, error=data.error),
        client=client,
    )
    return ProviderSession(session=finished.session, max_age=finished.max_age, next=finished.wanted)
