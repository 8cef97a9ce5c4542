"""The way to the OpenID provider and back: two routes of the dashboard's own origin.

Between the two the browser holds the flow's key in a cookie: an answer of the provider that
comes without it was not asked for by this browser, and signs nobody in.
"""

from string import ascii_letters, digits
from typing import Final
from urllib.parse import urlencode

import httpx
from httpx import codes
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from backend.accounts.schemas import ProviderSession, ProviderStarted
from backend.core.local_paths import local_path
from backend.core.schemas import Problem
from frontend.client import BASE
from frontend.routes import NO_STORE, PREFIX, SERVICE_HEADER, set_session_cookie, told_of
from frontend.settings import DashboardSettings

OIDC_PREFIX: Final = f"{PREFIX}/oidc"
START_PATH: Final = f"{OIDC_PREFIX}/start"
COOKIE_PREFIX: Final = "goodfit_oidc_"
# Why a sign-in was refused, told to the page by a name; the page knows the sentences.
REFUSAL_PARAMETER: Final = "refused"
FAILED: Final = "oidc_refused"
AWAY: Final = "oidc_unavailable"
EXPIRED: Final = "oidc_expired"
TOO_MANY: Final = "oidc_too_many"
LONGEST_PARAMETER: Final = 4_000
OWN_ROUTES: Final = f"{PREFIX}/"
_PLAIN: Final = frozenset(ascii_letters + digits)
# The API asks the provider up to four times.
TIMEOUT: Final = httpx.Timeout(40.0, connect=2.0)


def sign_in_address(wanted: str) -> str:
    """Where the button leads that signs in with the provider."""
    return f"{START_PATH}?{urlencode({'next': wanted})}"


class ProviderBridge:
    """The two routes, over connections to the API."""

    def __init__(self, settings: DashboardSettings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            base_url=settings.urls.api_for_processes, timeout=TIMEOUT, trust_env=False
        )

    def routes(self) -> list[BaseRoute]:
        return [
            Route(START_PATH, self.start),
            Route(f"{OIDC_PREFIX}/callback", self.finish),
        ]

    async def close(self) -> None:
        await self._http.aclose()

    async def start(self, request: Request) -> Response:
        """To the provider, with the flow's key in a cookie."""
        wanted = local_path(request.query_params.get("next", "/")[:2_000], apart_from=OWN_ROUTES)
        answer = await self._ask("start", {"next": wanted}, request)
        if isinstance(answer, str):
            return _refused(answer)
        started = ProviderStarted.model_validate_json(answer.content)
        response = _redirect(started.address)
        response.set_cookie(
            _cookie_name(started.state),
            started.key,
            max_age=started.max_age,
            path=OIDC_PREFIX,
            secure=self._settings.cookie_secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Back from the provider: the session's cookie, and the page that was asked for."""
        query = request.query_params
        state = query.get("state", "")
        key = request.cookies.get(_cookie_name(state), "")
        response = await self._finished(request, state=state, key=key)
        if key:
            response.delete_cookie(
                _cookie_name(state),
                path=OIDC_PREFIX,
                secure=self._settings.cookie_secure,
                httponly=True,
                samesite="lax",
            )
        return response

    async def _finished(self, request: Request, *, state: str, key: str) -> Response:
        if not key:
            return _refused(EXPIRED)
        body = {"state": state, "key": key}
        for name in ("code", "error"):
            if name in request.query_params:
                body[name] = request.query_params[name]
        if any(len(text) > LONGEST_PARAMETER for text in body.values()):
            return _refused(FAILED)
        answer = await self._ask("finish", body, request)
        if isinstance(answer, str):
            return _refused(answer)
        made = ProviderSession.model_validate_json(answer.content)
        response = _redirect(local_path(made.next, apart_from=OWN_ROUTES))
        set_session_cookie(response, self._settings, made.session, made.max_age)
        return response

    async def _ask(self, step: str, body: dict[str, str], request: Request) -> httpx.Response | str:
        """The API's answer, or the name of its refusal."""
        key = self._settings.secrets.service_key.get_secret_value()
        address = request.client.host if request.client else None
        agent = request.headers.get("user-agent")
        headers = {SERVICE_HEADER: key, **told_of(self._settings, address, agent)}
        try:
            answer = await self._http.post(
                f"{BASE}/internal/oidc/{step}", json=body, headers=headers
            )
        except httpx.HTTPError:
            return AWAY
        if answer.is_success:
            return answer
        if answer.status_code == codes.TOO_MANY_REQUESTS:
            return TOO_MANY
        try:
            code = Problem.model_validate_json(answer.content).code
        except ValidationError:
            return FAILED
        return code if code.startswith("oidc_") else FAILED


def _cookie_name(state: str) -> str:
    """One for each flow, so that two tabs may sign in at the same time."""
    start = "".join(character for character in state[:12] if character in _PLAIN)
    return COOKIE_PREFIX + start


def _redirect(address: str) -> Response:
    return RedirectResponse(address, 303, headers=NO_STORE)


def _refused(reason: str) -> Response:
    return _redirect(f"/?{urlencode({REFUSAL_PARAMETER: reason})}")
