"""What every answer carries, of the API and of the dashboard, errors included."""

import re

import httpx
import pytest
from fastapi import FastAPI

from backend.core.headers import DATA_POLICY, security_headers
from backend.main import create_app
from backend.settings import Settings, UrlSettings
from tests.core.conftest import Edge

# Two servers start first.
pytestmark = pytest.mark.timeout(300)

COMMON = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def _has(answer: httpx.Response, expected: dict[str, str]) -> None:
    assert {name: answer.headers.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("GET", "/healthz", "test", 200),
        ("GET", "/", "test", 307),
        ("GET", "/api/v1/nothing", "test", 404),
        ("PUT", "/api/v1/fits", "test", 405),
        ("GET", "/api/v1/fits", "test", 401),
        ("GET", "/healthz", "evil.example", 400),
        ("GET", "/openapi.json", "test", 200),
    ],
)
async def test_every_answer_of_the_api_has_the_headers(
    app: FastAPI, method: str, path: str, host: str, status: int
) -> None:
    async with _client(app) as client:
        answer = await client.request(method, path, headers={"Host": host})
    assert answer.status_code == status
    policy = {"content-security-policy": DATA_POLICY, "referrer-policy": "no-referrer"}
    _has(answer, COMMON | policy)
    assert answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


async def test_unexpected_error_has_the_headers_and_its_id(app: FastAPI) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    app.state.sessions = app.state.read_sessions = broken
    async with _client(app) as client:
        answer = await client.get(
            "/api/v1/fits", headers={"X-Request-ID": "of-this-test", "Authorization": "Bearer x"}
        )
    assert answer.status_code == 500
    _has(answer, COMMON | {"x-request-id": "of-this-test"})


async def test_browsers_keep_to_https_where_the_address_has_it(settings: Settings) -> None:
    urls = UrlSettings(api="https://api.lab.example.org")
    async with _client(create_app(settings.model_copy(update={"urls": urls}))) as client:
        answer = await client.get("/healthz")
    _has(answer, {"strict-transport-security": "max-age=63072000"})
    assert "Content-Security-Policy" not in security_headers("http://x", content_policy=None)


async def test_docs_page_may_load_its_own_scripts_and_nothing_else(app: FastAPI) -> None:
    async with _client(app) as client:
        page = await client.get("/docs")
        assert (await client.get("/redoc")).status_code == 404
    assert page.status_code == 200
    _has(page, COMMON)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src https://cdn.jsdelivr.net/npm/")
    scripts = re.search(r"script-src ([^;]*);", policy)
    assert scripts
    assert "unsafe" not in scripts[1]
    assert scripts[1].count("'sha256-") == page.text.count("<script>") == 1
    foreign = set(re.findall(r'(?:src|href)="(https?://[^/"]+)', page.text))
    assert foreign == {"https://cdn.jsdelivr.net"}


async def test_docs_can_be_closed(settings: Settings) -> None:
    async with _client(create_app(settings.model_copy(update={"docs": False}))) as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.json()["code"] == "not_found"
        assert (await client.get("/")).headers["location"] == settings.urls.dashboard


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", "", 200),
        ("/_stcore/health", "", 200),
        ("/goodfit/oidc/start", "", 303),
        ("/goodfit/plots/1/residuals.png", "", 401),
        ("/", "evil.example", 400),
        ("/goodfit/oidc/start", "evil.example", 400),
    ],
)
def test_every_answer_of_the_dashboard_has_the_headers(
    edge: Edge, path: str, host: str, status: int
) -> None:
    headers = {"Host": host} if host else {}
    answer = httpx.get(edge.dashboard + path, headers=headers, timeout=30)
    assert answer.status_code == status
    # Its public address is https.
    _has(answer, COMMON | {"strict-transport-security": "max-age=63072000"})
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


def test_cookies_are_for_https_where_the_address_has_it(edge: Edge) -> None:
    answer = httpx.get(
        f"{edge.dashboard}/goodfit/oidc/callback?state=abcdefgh",
        headers={"Cookie": "goodfit_oidc_abcdefgh=key"},
        timeout=30,
    )
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=lax", "Max-Age=0"))
