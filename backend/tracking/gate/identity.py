"""Who is calling MLflow: the platform's API says so; MLflow holds no key of its own."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx
from flask import Response, g, make_response, request
from mlflow.server import auth
from werkzeug.datastructures import Authorization

from backend.settings import Settings

SERVICE_USER: Final = "goodfit-service"
BROWSER_PREFIX: Final = "gb_"
# A session that was ended lives at most this long here.
CACHE_SECONDS: Final = 3.0
CACHED_TOKENS: Final = 10_000
USER_CHECK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may come in."""

    username: str
    is_admin: bool
    is_service: bool = False


class IdentityUnavailable(RuntimeError):
    """The API does not answer, so nobody can be let in."""


class Identities:
    """Asks the API who holds a token and remembers the answer for a moment."""

    def __init__(self, settings: Settings) -> None:
        self._service_key = settings.secrets.service_key.get_secret_value()
        self.cookie_name = settings.auth.cookie_name
        self._client = httpx.Client(
            base_url=f"{settings.urls.api_for_processes}/api/v1/internal",
            headers={"X-Goodfit-Service-Key": self._service_key},
            timeout=httpx.Timeout(5, connect=2),
        )
        self._cache: dict[str, tuple[float, Caller | None]] = {}
        self._known_users: dict[str, tuple[float, bool]] = {}
        self._lock = threading.Lock()

    def caller(self, authorization: str | None, cookie: str | None) -> Caller | None:
        """The caller behind these credentials; a wrong header never falls back to the cookie."""
        if authorization:
            return self._from_header(authorization)
        if cookie and cookie.startswith(BROWSER_PREFIX):
            return self._introspect(cookie)
        return None

    def _from_header(self, authorization: str) -> Caller | None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            if name == SERVICE_USER:
                right = hmac.compare_digest(secret.encode(), self._service_key.encode())
                return Caller(SERVICE_USER, is_admin=True, is_service=True) if right else None
            return self._introspect_header(secret)
        return self._introspect_header(value.strip()) if scheme.lower() == "bearer" else None

    def _introspect_header(self, token: str) -> Caller | None:
        """A browser's session counts as a cookie only: scripts cannot read it, so none has it."""
        if not token or token.startswith(BROWSER_PREFIX):
            return None
        return self._introspect(token)

    def _introspect(self, token: str) -> Caller | None:
        key, now = hashlib.sha256(token.encode()).hexdigest(), time.monotonic()
        hit = self._cache.get(key)
        if hit is not None and hit[0] > now:
            return hit[1]
        body = self._post("/introspect", {"token": token})
        caller = (
            Caller(body["username"], is_admin=body["role"] == "admin") if body["active"] else None
        )
        if len(self._cache) >= CACHED_TOKENS:
            self._cache.clear()
        self._cache[key] = (now + CACHE_SECONDS, caller)
        return caller

    def redeem(self, ticket: str) -> tuple[str, int] | None:
        """The cookie's value and age in seconds for a one-time ticket."""
        body = self._post("/tickets/redeem", {"ticket": ticket}, refused={401, 422})
        return None if body is None else (body["session"], body["max_age"])

    def _post(self, path: str, body: dict[str, str], refused: set[int] | None = None) -> Any:
        try:
            answer = self._client.post(path, json=body)
            if refused is not None and answer.status_code in refused:
                return None
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise IdentityUnavailable(str(error)) from error
        return answer.json()

    def ensure_user(self, caller: Caller) -> None:
        """MLflow's permissions hang on its own user rows: make and update the caller's."""
        now = time.monotonic()
        known = self._known_users.get(caller.username)
        if known is not None and known[0] > now and known[1] == caller.is_admin:
            return
        with self._lock:
            if not auth.store.has_user(caller.username):
                # Nobody knows this password: people come in by the platform's tokens only.
                password = secrets.token_urlsafe(32)
                auth.store.create_user(caller.username, password, is_admin=caller.is_admin)
            elif auth.store.get_user(caller.username).is_admin != caller.is_admin:
                auth.store.update_user(caller.username, is_admin=caller.is_admin)
            self._known_users[caller.username] = (now + USER_CHECK_SECONDS, caller.is_admin)


_identities: Identities | None = None


def configure(settings: Settings) -> Identities:
    """Set up the process's one source of identities."""
    global _identities  # noqa: PLW0603  # MLflow calls `authenticate` by name, without arguments
    _identities = Identities(settings)
    return _identities


def authenticate() -> Authorization | Response:
    """MLflow's `authorization_function`: the caller of the present Flask request."""
    if _identities is None:
        raise RuntimeError("the gate is not configured")
    known = getattr(g, "goodfit_authorization", None)
    if isinstance(known, Authorization):
        return known  # MLflow asks several times in one request
    caller = _identities.caller(
        request.headers.get("Authorization"), request.cookies.get(_identities.cookie_name)
    )
    if caller is None:
        content = {"error_code": "UNAUTHENTICATED", "message": "Sign in to Goodfit."}
        refusal = make_response(json.dumps(content), 401)
        refusal.headers["Content-Type"] = "application/json"
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    if not caller.is_service:
        _identities.ensure_user(caller)
    granted = Authorization("basic", {"username": caller.username, "password": ""})
    g.goodfit_authorization = granted
    return granted
