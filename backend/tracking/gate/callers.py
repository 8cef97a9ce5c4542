"""Who calls: what a request presents, and what the API says about it."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import httpx
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import cookie_parser

from backend.core.access import Scope
from backend.core.security import BROWSER_PREFIX

SERVICE_USERNAME: Final = "goodfit-service"
# Opaque tokens that are not for calls: refresh, browser, ticket, sign-in link.
_NOT_FOR_CALLS: Final = ("gr_", BROWSER_PREFIX, "gt_", "gl_")
_LONGEST_TOKEN: Final = 4_000
# A revoked token or session lives at most this long in MLflow.
CACHE_SECONDS: Final = 5.0
_CACHE_ENTRIES: Final = 10_000
_ANSWER_SECONDS: Final = 5.0


class ApiUnavailable(RuntimeError):
    """The API did not say who calls, so nobody may."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whom the platform knows."""

    username: str
    is_admin: bool
    is_platform: bool = False
    # What a token may be used for, and whether it reaches one project only.
    scope: Scope = Scope.WRITE
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class Presented:
    """The credentials of a request; a header always wins over the cookie, also a wrong one."""

    token: str | None
    by_cookie: bool = False
    is_platform: bool = False


class BrowserSession(BaseModel):
    """The value of the cookie, and how long it lasts in seconds."""

    session: str = Field(pattern=r"^gb_[\w-]{16,200}$")
    max_age: int = Field(ge=0)


class _Identity(BaseModel):
    active: bool
    username: str | None = None
    role: Literal["viewer", "member", "admin"] | None = None
    scope: Scope | None = None
    project_id: int | None = None


def presented(headers: Mapping[str, str], *, cookie_name: str, service_key: str) -> Presented:
    """Read the credentials of a request; `headers` have lower-case names."""
    authorization = headers.get("authorization")
    if authorization is None:
        value = cookie_parser(headers.get("cookie", "")).get(cookie_name, "")
        is_session = value.startswith(BROWSER_PREFIX) and len(value) <= _LONGEST_TOKEN
        return Presented(value if is_session else None, by_cookie=True)
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return Presented(_call_token(value.strip()))
    if scheme.lower() == "basic":
        return _basic(value.strip(), service_key)
    return Presented(None)


def _basic(value: str, service_key: str) -> Presented:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return Presented(None)
    username, _, password = text.partition(":")
    if username != SERVICE_USERNAME:
        return Presented(_call_token(password))
    is_platform = hmac.compare_digest(password.encode(), service_key.encode())
    return Presented(None, is_platform=is_platform)


def _call_token(token: str) -> str | None:
    if not token or len(token) > _LONGEST_TOKEN or token.startswith(_NOT_FOR_CALLS):
        return None
    return token


class CallerDirectory:
    """Asks the API, and remembers its answer for a few seconds."""

    def __init__(self, api_url: str, service_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{api_url.rstrip('/')}/api/v1/internal",
            headers={"X-Goodfit-Service-Key": service_key},
            timeout=_ANSWER_SECONDS,
            # The key must not go through a proxy that the environment names.
            trust_env=False,
        )
        self._answers: dict[bytes, tuple[float, asyncio.Task[Caller | None]]] = {}

    async def find(self, credentials: Presented) -> Caller | None:
        """The caller behind the credentials.

        Raises
        ------
        ApiUnavailable
            The API gave no answer.
        """
        if credentials.is_platform:
            return Caller(SERVICE_USERNAME, is_admin=True, is_platform=True)
        if credentials.token is None:
            return None
        key = hashlib.sha256(credentials.token.encode()).digest()
        now = time.monotonic()
        expires, answer = self._answers.get(key, (0.0, None))
        if answer is None or expires <= now:
            # One question for all the requests of a page that arrive together.
            answer = asyncio.create_task(self._introspect(credentials.token))
            self._remember(key, now + CACHE_SECONDS, answer)
        try:
            return await asyncio.shield(answer)
        except ApiUnavailable:
            if self._answers.get(key, (0.0, None))[1] is answer:
                del self._answers[key]
            raise

    def _remember(self, key: bytes, expires: float, answer: asyncio.Task[Caller | None]) -> None:
        if len(self._answers) >= _CACHE_ENTRIES:
            self._answers.clear()
        self._answers[key] = (expires, answer)

    async def _introspect(self, token: str) -> Caller | None:
        response = await self._post("/introspect", {"token": token})
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            return None  # nobody's token has this form
        if response.status_code != httpx.codes.OK:
            raise ApiUnavailable(f"introspection answered {response.status_code}")
        try:
            identity = _Identity.model_validate_json(response.content)
        except ValidationError as error:
            raise ApiUnavailable("introspection answered something else") from error
        # The platform's own account cannot be taken over by a person of that name.
        if not identity.active or not identity.username or identity.username == SERVICE_USERNAME:
            return None
        return Caller(
            identity.username,
            is_admin=identity.role == "admin",
            # An answer that does not say it lets nobody in.
            scope=identity.scope or Scope.PREDICT,
            is_limited=identity.project_id is not None,
        )

    async def redeem(self, ticket: str) -> BrowserSession | None:
        """The browser session for a one-time ticket; None when it is used up or unknown.

        Raises
        ------
        ApiUnavailable
            The API gave no answer.
        """
        response = await self._post("/tickets/redeem", {"ticket": ticket})
        if response.is_client_error:
            return None
        if response.status_code != httpx.codes.OK:
            raise ApiUnavailable(f"the ticket's redemption answered {response.status_code}")
        try:
            return BrowserSession.model_validate_json(response.content)
        except ValidationError as error:
            raise ApiUnavailable("the ticket's redemption answered something else") from error

    async def _post(self, path: str, body: dict[str, str]) -> httpx.Response:
        try:
            return await self._http.post(path, json=body)
        except httpx.HTTPError as error:
            raise ApiUnavailable(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
