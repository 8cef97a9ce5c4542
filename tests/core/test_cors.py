"""Which sites' pages may call the API: those that are named, and never with cookies."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.main import create_app
from backend.settings import Settings

OURS = "https://lab.example.org"


@pytest.fixture
async def client(
    settings: Settings, sessions: async_sessionmaker[AsyncSession]
) -> AsyncIterator[httpx.AsyncClient]:
    origins = f"{OURS}, http://127.0.0.1:3000"
    app = create_app(settings.model_copy(update={"cors_origins": origins}))
    app.state.sessions = app.state.read_sessions = sessions
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


def _preflight(origin: str, **wanted: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "PATCH", **wanted}


async def test_named_site_may_send_what_the_api_understands(client: httpx.AsyncClient) -> None:
    headers = {"Access-Control-Request-Headers": "authorization,if-match,content-type"}
    answer = await client.options("/api/v1/fits/1", headers=_preflight(OURS, **headers))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        _preflight("https://evil.example"),
        _preflight("null"),
        _preflight("https://lab.example.org.evil.example"),
        _preflight("http://lab.example.org"),
        _preflight(OURS, **{"Access-Control-Request-Headers": "x-goodfit-service-key"}),
        _preflight(OURS) | {"Access-Control-Request-Method": "TRACE"},
    ],
)
async def test_what_is_not_allowed_is_refused_before_it_is_sent(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.options("/api/v1/fits/1", headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/fits", "/api/v1/nothing"])
async def test_answers_and_problems_can_be_read_by_the_named_site_alone(
    client: httpx.AsyncClient, path: str
) -> None:
    ours = await client.get(path, headers={"Origin": OURS})
    assert ours.headers["access-control-allow-origin"] == OURS
    assert "Retry-After" in ours.headers["access-control-expose-headers"]
    assert "Origin" in ours.headers["vary"]
    foreign = await client.get(path, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    assert "Origin" in foreign.headers["vary"]


async def test_even_an_unexpected_error_can_be_read(client: httpx.AsyncClient) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    transport.app.state.sessions = transport.app.state.read_sessions = broken  # type: ignore[attr-defined]  # ASGI apps have no state
    headers = {"Origin": OURS, "Authorization": "Bearer x"}
    answer = await client.get("/api/v1/fits", headers=headers)
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == OURS


async def test_without_a_list_no_site_may(anonymous: httpx.AsyncClient) -> None:
    preflight = await anonymous.options("/api/v1/fits", headers=_preflight(OURS))
    assert preflight.status_code == 405
    answer = await anonymous.get("/healthz", headers={"Origin": OURS})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origins", ["*", f"{OURS}, *", "lab.example.org", f"{OURS}/", "https://*.example.org", "null"]
)
def test_list_of_sites_names_each_of_them(settings: Settings, origins: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins are like"):
        Settings(database=settings.database, secrets=settings.secrets, cors_origins=origins)
