"""OpenID providers to sign in with: the mock library's server as a process, and one that lies."""

import contextlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backend.stack.postgres import free_port

CLIENT_ID = "goodfit-lab"
# One for all: each of httpx's own functions reads the list of authorities anew.
_http = httpx.Client(trust_env=False, timeout=30)
START_SECONDS = 90.0


@dataclass(frozen=True)
class MockProvider:
    """The server of oidc-provider-mock: accepts every client, signs in whom the test names."""

    issuer: str

    def know(self, subject: str, **claims: object) -> None:
        """Set what the provider says of a person."""
        _http.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def sign_in(self, address: str, subject: str) -> str:
        """Do at the provider what a person does; answers where the browser is sent then."""
        answer = _http.post(address, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def refuse(self, address: str) -> str:
        answer = _http.post(address, data={"action": "deny"})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@contextlib.contextmanager
def mock_provider() -> Iterator[MockProvider]:
    """The mock library's server, in a process of its own."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603  # the mock's own program
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"],
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    provider = MockProvider(f"http://127.0.0.1:{port}")
    try:
        wait_for(f"{provider.issuer}/.well-known/openid-configuration", process)
        yield provider
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def wait_for(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process is None or process.poll() is None
        with contextlib.suppress(httpx.TransportError):
            if _http.get(url, timeout=2).status_code < 500:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody answers at {url}")


@cache
def new_key(name: str) -> RSAKey:
    """Made once: making one takes longer than a test."""
    return RSAKey.generate_key(2048, {"kid": name})


@dataclass
class LyingProvider:
    """Keeps to the protocol, PKCE included, but for what a test lets it say."""

    issuer: str
    claims: dict[str, Any] = field(default_factory=dict)
    user_info: Any = None
    description: dict[str, Any] = field(default_factory=dict)
    signing: str = "own"
    token_status: int = 200
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: new_key("one"))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def sign_in(self, address: str) -> str:
        """The provider's consent, without a page."""
        return _http.get(address).headers["location"]

    def rotate(self) -> None:
        self.key = new_key("two")

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._user_info),
            ]
        )

    async def _describe(self, _request: Request) -> Response:
        self.asked.append("description")
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        if self.user_info is not None:
            described["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return JSONResponse({**described, **self.description})

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        assert given["code_challenge_method"] == "S256"
        assert given["client_id"] == CLIENT_ID
        code = f"code-{len(self.codes)}"
        self.codes[code] = given
        query = urlencode({"code": code, "state": given["state"]})
        return RedirectResponse(f"{given['redirect_uri']}?{query}", 302)

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        if self.token_status != 200:
            return JSONResponse({"error": "server_error"}, self.token_status)
        sent = parse_qs((await request.body()).decode())
        form = {name: values[0] for name, values in sent.items()}
        self.forms.append(form)
        asked = self.codes.pop(form["code"], None)
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "sub": "person-1",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in said.items() if value is not None}
        body = {"access_token": "of-no-use", "token_type": "Bearer", "id_token": self._sign(claims)}
        return JSONResponse(body)

    def _sign(self, claims: dict[str, Any]) -> str:
        if self.signing == "none":
            parts = [json.dumps({"alg": "none"}), json.dumps(claims)]
            return ".".join(_encoded(part.encode()) for part in parts) + "."
        if self.signing == "secret":
            signed = ".".join(
                _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims)
            )
            public = self.key.as_pem(private=False)
            return f"{signed}.{_encoded(hmac.digest(public, signed.encode(), 'sha256'))}"
        if self.signing == "other key":
            return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, new_key("other"))
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        if self.signing == "tampered":
            head, _, signature = token.split(".")
            return f"{head}.{_encoded(json.dumps({**claims, 'sub': 'root'}).encode())}.{signature}"
        return token

    async def _keys(self, _request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _user_info(self, _request: Request) -> Response:
        self.asked.append("userinfo")
        return JSONResponse(self.user_info)


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


@contextlib.contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    """A provider over HTTP, in a thread, so that the test can tell it what to say."""
    port = free_port()
    provider = LyingProvider(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        provider.app(), host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(f"{provider.issuer}/keys")
        provider.asked.clear()
        yield provider
    finally:
        server.should_exit = True
        thread.join()


def brought_back(location: str) -> dict[str, str]:
    """What the provider wrote into the address that it sends the browser back to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
