"""Same-origin routes beside the page: the HttpOnly cookie, plots, downloads, the way to MLflow.

The page's script cannot set an HttpOnly cookie, and Streamlit would serve a picture given to it
at a public address. Here the browser's cookie says who asks.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from html import escape
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from backend.accounts.schemas import BrowserSessionOut, TicketOut, TokenOut, UserOut
from backend.audit.schemas import AuditFilter
from frontend.claims import claims
from frontend.client import BASE, TIMEOUT
from frontend.predictions import predicted_files
from frontend.settings import DashboardSettings

PREFIX: Final = "/goodfit"
SERVICE_HEADER: Final = "X-Goodfit-Service-Key"
ADDRESS_HEADER: Final = "X-Goodfit-Client-Address"
TICKET: Final = re.compile(r"[A-Za-z0-9_-]{1,500}")
PLOT_OPTIONS: Final = ("theme", "width", "height", "dpi")
AUDIT_FILTERS: Final = tuple(AuditFilter.__dataclass_fields__)
DOWNLOAD_FORMATS: Final = ("original", "csv", "parquet")
PASSED_HEADERS: Final = ("etag", "content-length", "content-disposition")
KEPT_TOKENS: Final = 1_000
TOKEN_SECONDS: Final = 60.0
NO_STORE: Final = {"Cache-Control": "no-store"}
NEEDS_COOKIE: Final = "This picture needs your sign-in. Reload the page, or sign in again."
NO_SERVER: Final = "The server does not answer. Reload the page to try again."
NO_PLOT: Final = "There is no such plot."
NO_IMAGE: Final = "There is no such image."
NO_AUDIT: Final = "The audit is for administrators. One of its filters may not be valid, either."
NO_PREDICTIONS: Final = "This file is no longer kept. Go back to the model and drop it again."


class CookieRefused(Exception):
    """No cookie, or one whose session has ended."""


def told_of(settings: DashboardSettings, address: str | None, agent: str | None) -> dict[str, str]:
    """What the API is told of a browser; the service key is why it believes the address."""
    found = {"User-Agent": agent}
    if address:
        found[ADDRESS_HEADER] = address
        found[SERVICE_HEADER] = settings.secrets.service_key.get_secret_value()
    # Whatever a browser sends; what is no plain text cannot be a header again.
    return {name: text for name, text in found.items() if isinstance(text, str) and text.isascii()}


def set_session_cookie(
    response: Response, settings: DashboardSettings, session: str, max_age: int
) -> None:
    """Hand the browser its session; no script can read it."""
    response.set_cookie(
        settings.auth.cookie_name,
        session,
        max_age=max_age,
        path="/",
        secure=settings.cookie_secure,
        httponly=True,
        samesite="lax",
    )


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")


def _picture(text: str, status: int) -> Response:
    """A browser shows a picture whatever its status: a text where the plot would be."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 200" width="800" height="200">'
        '<rect width="800" height="200" rx="8" fill="#8886" fill-opacity=".15"/>'
        '<text x="400" y="106" text-anchor="middle" font-family="sans-serif" font-size="18" '
        f'fill="#808890">{escape(text)}</text></svg>'
    )
    return Response(svg, status, headers=NO_STORE, media_type="image/svg+xml")


class Bridge:
    """The routes, over one pool of connections to the API."""

    def __init__(self, settings: DashboardSettings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            base_url=settings.urls.api_for_processes,
            timeout=TIMEOUT,
            # The service key and cookies must not go through a proxy of the environment.
            trust_env=False,
        )
        self._access: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def routes(self) -> list[BaseRoute]:
        return [
            Route(f"{PREFIX}/session", self.set_cookie, methods=["POST"]),
            Route(f"{PREFIX}/signout", self.delete_cookie, methods=["POST"]),
            Route(f"{PREFIX}/plots/{{fit_id:int}}/{{kind}}.png", self.plot),
            Route(f"{PREFIX}/datasets/{{dataset_id:int}}/{{version:int}}", self.download),
            Route(f"{PREFIX}/datasets/{{dataset_id:int}}/{{version:int}}/recipe", self.recipe),
            Route(
                f"{PREFIX}/datasets/{{dataset_id:int}}/{{version:int}}/images/{{row:int}}.png",
                self.image,
            ),
            Route(f"{PREFIX}/predictions/{{token}}", self.predictions),
            Route(f"{PREFIX}/audit.csv", self.audit),
            Route(f"{PREFIX}/mlflow", self.to_mlflow),
        ]

    async def close(self) -> None:
        await self._http.aclose()

    async def set_cookie(self, request: Request) -> Response:
        """Swaps a ticket for the cookie of a browser session."""
        ticket = (await request.body())[:1_000].decode("ascii", "ignore")
        if not _same_origin(request) or not TICKET.fullmatch(ticket):
            return Response(status_code=403, headers=NO_STORE)
        try:
            answer = await self._internal(request, "/internal/tickets/redeem", {"ticket": ticket})
            _require_service(answer)
        except httpx.HTTPError:
            return Response(status_code=503, headers=NO_STORE)
        if answer.is_error:
            return Response(status_code=403, headers=NO_STORE)
        made = BrowserSessionOut.model_validate_json(answer.content)
        claims.add(ticket)
        response = Response(status_code=204, headers=NO_STORE)
        set_session_cookie(response, self._settings, made.session, made.max_age)
        return response

    async def delete_cookie(self, request: Request) -> Response:
        """Ends the cookie's session at the API, and deletes the cookie in any case."""
        if not _same_origin(request):
            return Response(status_code=403, headers=NO_STORE)
        auth = self._settings.auth
        response = Response(status_code=204, headers=NO_STORE)
        response.delete_cookie(
            auth.cookie_name,
            path="/",
            secure=self._settings.cookie_secure,
            httponly=True,
            samesite="lax",
        )
        cookie = request.cookies.get(auth.cookie_name)
        if cookie:
            self._access.pop(_cookie_key(cookie), None)
            try:
                (
                    await self._internal(request, "/internal/logout", {"token": cookie})
                ).raise_for_status()
            except httpx.HTTPError:
                response.headers["X-Goodfit-Revoked"] = "no"
        return response

    async def plot(self, request: Request) -> Response:
        """A plot of a fit, streamed from the API for the cookie's user."""
        fit_id, kind = request.path_params["fit_id"], quote(request.path_params["kind"], safe="")
        options = {
            name: request.query_params[name]
            for name in PLOT_OPTIONS
            if name in request.query_params
        }
        return await self._png(request, f"/fits/{fit_id}/plots/{kind}.png", options, NO_PLOT)

    async def image(self, request: Request) -> Response:
        """An image of a dataset, streamed from the API for the cookie's user."""
        dataset_id, version, row = (
            request.path_params[name] for name in ("dataset_id", "version", "row")
        )
        path = f"/datasets/{dataset_id}/versions/{version}/images/{row}.png"
        return await self._png(request, path, {}, NO_IMAGE)

    async def _png(
        self, request: Request, path: str, options: dict[str, str], absent: str
    ) -> Response:
        headers = {}
        if "if-none-match" in request.headers:
            headers["If-None-Match"] = request.headers["if-none-match"]
        try:
            answer = await self._stream(request, path, params=options, headers=headers)
        except CookieRefused:
            return _picture(NEEDS_COOKIE, 401)
        except httpx.HTTPError:
            return _picture(NO_SERVER, 503)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            await answer.aclose()
            return Response(status_code=304, headers=_passed(answer))
        if answer.is_error:
            await answer.aclose()
            text = NO_SERVER if answer.is_server_error else absent
            return _picture(text, answer.status_code)
        return StreamingResponse(_content(answer), headers=_passed(answer), media_type="image/png")

    async def download(self, request: Request) -> Response:
        """A dataset's version as it was sent, or as CSV or Parquet."""
        return await self._version_file(request, "download", _format(request))

    async def recipe(self, request: Request) -> Response:
        """How a version was made from its upload, as JSON or as a program."""
        form = "polars" if request.query_params.get("format") == "polars" else "json"
        name = "recipe.py" if form == "polars" else "recipe.json"
        return await self._version_file(request, "recipe", {"format": form}, name)

    async def _version_file(
        self, request: Request, part: str, params: dict[str, str], name: str = ""
    ) -> Response:
        dataset_id, version = request.path_params["dataset_id"], request.path_params["version"]
        return await self._file(
            request,
            f"/datasets/{dataset_id}/versions/{version}/{part}",
            params=params,
            page=f"/dataset?id={dataset_id}",
            absent=f"No dataset {dataset_id}, or it is not shared with you.",
            name=name,
        )

    async def audit(self, request: Request) -> Response:
        """The audit as CSV, with the filters of the page."""
        given = request.query_params
        return await self._file(
            request,
            "/operations/audit.csv",
            params={name: given[name] for name in AUDIT_FILTERS if name in given},
            page="/admin?section=Audit",
            absent=NO_AUDIT,
        )

    async def _file(
        self,
        request: Request,
        path: str,
        *,
        params: dict[str, str],
        page: str,
        absent: str,
        name: str = "",
    ) -> Response:
        """A file of the API; who is not signed in comes to the page that offers it."""
        try:
            answer = await self._stream(request, path, params=params)
        except CookieRefused:
            return RedirectResponse(page, 303, headers=NO_STORE)
        except httpx.HTTPError:
            return Response(NO_SERVER, 503, headers=NO_STORE, media_type="text/plain")
        if answer.is_error:
            await answer.aclose()
            text = NO_SERVER if answer.is_server_error else absent
            return Response(text, answer.status_code, headers=NO_STORE, media_type="text/plain")
        named = {"content-disposition": f'attachment; filename="{name}"'} if name else {}
        headers = {**named, **_passed(answer)}
        return StreamingResponse(
            _content(answer), headers=headers, media_type="application/octet-stream"
        )

    async def predictions(self, request: Request) -> Response:
        """A file of predictions, for the user whose page made it."""
        try:
            answer = await self._stream(request, "/users/me")
            await answer.aread()
            answer.raise_for_status()
        except CookieRefused:
            return RedirectResponse("/models", 303, headers=NO_STORE)
        except httpx.HTTPError:
            return Response(NO_SERVER, 503, headers=NO_STORE, media_type="text/plain")
        user = UserOut.model_validate_json(answer.content)
        found = predicted_files.open(request.path_params["token"], user_id=user.id)
        if found is None:
            return Response(NO_PREDICTIONS, 404, headers=NO_STORE, media_type="text/plain")
        file, pieces = found
        disposition = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        headers = {
            **NO_STORE,
            "Content-Disposition": disposition,
            "Content-Length": str(file.size),
        }
        return StreamingResponse(pieces, headers=headers, media_type="text/csv")

    async def to_mlflow(self, request: Request) -> Response:
        """To a page of MLflow with a fresh ticket, so that it opens signed in on any host."""
        path = request.query_params.get("path", "/")
        if not path.startswith("/") or path.startswith("//") or "\\" in path:
            path = "/"
        try:
            token = await self._token(request)
            answer = await self._http.post(
                f"{BASE}/auth/ticket", headers=self._headers(request, token)
            )
            _require_service(answer)
            if answer.is_error:
                raise CookieRefused
        except CookieRefused:
            query = urlencode({"next": "mlflow", "path": path})
            return RedirectResponse(f"/?{query}", 303, headers=NO_STORE)
        except httpx.HTTPError:
            return Response(NO_SERVER, 503, headers=NO_STORE, media_type="text/plain")
        ticket = TicketOut.model_validate_json(answer.content).ticket
        query = urlencode({"ticket": ticket, "next": path})
        target = f"{self._settings.urls.mlflow.rstrip('/')}/goodfit/session?{query}"
        return RedirectResponse(target, 303, headers=NO_STORE)

    async def _internal(self, request: Request, path: str, body: dict[str, str]) -> httpx.Response:
        key = self._settings.secrets.service_key.get_secret_value()
        headers = {**self._headers(request), SERVICE_HEADER: key}
        return await self._http.post(BASE + path, json=body, headers=headers)

    def _headers(self, request: Request, token: str | None = None) -> dict[str, str]:
        """Who asks, and for which browser."""
        address = request.client.host if request.client else None
        told = told_of(self._settings, address, request.headers.get("user-agent"))
        return told if token is None else {**told, "Authorization": f"Bearer {token}"}

    async def _stream(
        self,
        request: Request,
        path: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """An open answer of the API; a token that ended early is renewed once."""
        for fresh in (False, True):
            token = await self._token(request, fresh=fresh)
            wanted = self._http.build_request(
                "GET",
                BASE + path,
                params=params,
                headers={**(headers or {}), **self._headers(request, token)},
            )
            answer = await self._http.send(wanted, stream=True)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return answer
            await answer.aclose()
        raise CookieRefused

    async def _token(self, request: Request, *, fresh: bool = False) -> str:
        """An access token for the cookie; kept shortly, the API still checks its session."""
        cookie = request.cookies.get(self._settings.auth.cookie_name)
        if not cookie:
            raise CookieRefused
        key = _cookie_key(cookie)
        kept = self._access.get(key)
        if kept is not None and not fresh and time.monotonic() < kept[1]:
            return kept[0]
        form = {"grant_type": "refresh_token", "refresh_token": cookie}
        answer = await self._http.post(
            f"{BASE}/auth/token", data=form, headers=self._headers(request)
        )
        # 422: no session has a value of this form.
        if answer.status_code in (401, 422):
            self._access.pop(key, None)
            raise CookieRefused
        answer.raise_for_status()
        token = TokenOut.model_validate_json(answer.content)
        lifetime = min(TOKEN_SECONDS, token.expires_in / 2)
        self._access[key] = (token.access_token, time.monotonic() + lifetime)
        while len(self._access) > KEPT_TOKENS:
            self._access.popitem(last=False)
        return token.access_token


def _format(request: Request) -> dict[str, str]:
    given = request.query_params.get("format")
    return {"format": given} if given in DOWNLOAD_FORMATS else {}


def _require_service(answer: httpx.Response) -> None:
    """Raises where the API fails, which says nothing about the cookie or the ticket."""
    if answer.is_server_error:
        answer.raise_for_status()


def _cookie_key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _passed(answer: httpx.Response) -> dict[str, str]:
    kept = {name: answer.headers[name] for name in PASSED_HEADERS if name in answer.headers}
    return {**kept, "Cache-Control": "private, max-age=0, must-revalidate", "Vary": "Cookie"}


async def _content(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    finally:
        await answer.aclose()
