"""The dashboard's two routes between the browser and the provider, with the API behind them."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.applications import Starlette

from backend.core.local_paths import local_path
from backend.main import create_app
from backend.settings import OidcSettings, Settings, UrlSettings
from backend.tables import AuditEvent, OidcFlow
from frontend.oidc_routes import OWN_ROUTES, ProviderBridge
from frontend.settings import Auth, DashboardSettings, Secrets, Urls
from tests.accounts.openid_providers import CLIENT_ID, MockProvider, mock_provider

DASHBOARD = "http://dashboard.test"
START = "/goodfit/oidc/start"
CALLBACK = "/goodfit/oidc/callback"
COOKIE = "goodfit_session"


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with mock_provider() as running:
        running.know("ada", email="ada@example.org", email_verified=True)
        yield running


@pytest.fixture(scope="module")
def api(settings: Settings, provider: MockProvider) -> FastAPI:
    oidc = OidcSettings(
        issuer=provider.issuer, client_id=CLIENT_ID, client_secret=SecretStr("of the client")
    )
    chosen = {"oidc": oidc, "urls": UrlSettings(dashboard=DASHBOARD)}
    return create_app(settings.model_copy(update=chosen))


@pytest.fixture
async def dashboard(
    settings: Settings, sessions: async_sessionmaker[AsyncSession], api: FastAPI
) -> AsyncIterator[Starlette]:
    api.state.sessions = api.state.read_sessions = sessions
    key = settings.secrets.service_key
    own = DashboardSettings(
        secrets=Secrets(service_key=key, cookie_key=key),
        urls=Urls(api="http://test", dashboard=DASHBOARD),
        auth=Auth(),
    )
    bridge = ProviderBridge(own)
    await bridge.close()
    bridge._http = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test")
    yield Starlette(routes=bridge.routes())
    await bridge.close()


def _browser(dashboard: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(dashboard), base_url=DASHBOARD)


async def _go(browser: httpx.AsyncClient, wanted: str = "/") -> str:
    """To the provider; answers the address there."""
    answer = await browser.get(f"{START}?next={quote(wanted, safe='')}")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def _is_refused(answer: httpx.Response, reason: str) -> None:
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/?refused={reason}"
    assert COOKIE not in answer.cookies


async def test_browser_comes_back_signed_in_at_the_page_it_wanted(
    dashboard: Starlette, provider: MockProvider
) -> None:
    async with _browser(dashboard) as browser:
        there = await _go(browser, "/fit?id=4")
        assert there.startswith(f"{provider.issuer}/oauth2/authorize?")
        assert quote(DASHBOARD + CALLBACK, safe="") in there
        (flow,) = browser.cookies.jar
        assert flow.name.startswith("goodfit_oidc_")
        assert flow.path == "/goodfit/oidc"
        assert flow.has_nonstandard_attr("HttpOnly")
        answer = await browser.get(provider.sign_in(there, "ada"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/fit?id=4")
    made, deleted = answer.headers.get_list("set-cookie")
    assert made.startswith(f"{COOKIE}=gb_")
    assert "HttpOnly" in made
    assert "SameSite=lax" in made
    assert deleted.startswith(f'{flow.name}=""')


async def test_two_tabs_sign_in_at_the_same_time(
    dashboard: Starlette, provider: MockProvider
) -> None:
    async with _browser(dashboard) as browser:
        first, second = await _go(browser, "/fits"), await _go(browser, "/models")
        for there, wanted in ((second, "/models"), (first, "/fits")):
            answer = await browser.get(provider.sign_in(there, "ada"))
            assert answer.headers["location"] == wanted


async def test_answer_that_another_browser_asked_for_signs_nobody_in(
    dashboard: Starlette, provider: MockProvider
) -> None:
    async with _browser(dashboard) as attacker, _browser(dashboard) as victim:
        back = provider.sign_in(await _go(attacker), "ada")
        _is_refused(await victim.get(back), "oidc_expired")
        # A cookie of the victim's own flow does not help either.
        await _go(victim)
        (own,) = victim.cookies.jar
        (foreign,) = attacker.cookies.jar
        headers = {"Cookie": f"{foreign.name}={own.value}"}
        victim.cookies.clear()
        _is_refused(await victim.get(back, headers=headers), "oidc_expired")
        assert (await attacker.get(back)).headers["location"] == "/"
        _is_refused(await attacker.get(back), "oidc_expired")


async def test_cancelled_sign_in_leads_back_with_its_reason(
    dashboard: Starlette, provider: MockProvider
) -> None:
    async with _browser(dashboard) as browser:
        there = await _go(browser)
        state = there.partition("state=")[2].partition("&")[0]
        back = f"{provider.refuse(there)}&state={state}"
        _is_refused(await browser.get(back), "oidc_cancelled")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=x",
        "?code=c",
        "?state=" + "x" * 9_000,
        "?state=%00&code=%ff",
        "?state=%C3%A9&code=c",
        "?error=<script>",
    ],
)
async def test_made_up_answer_is_refused(dashboard: Starlette, query: str) -> None:
    async with _browser(dashboard) as browser:
        _is_refused(await browser.get(CALLBACK + query), "oidc_expired")
        headers = {"Cookie": "goodfit_oidc_x=key; goodfit_oidc_=key"}
        answer = await browser.get(CALLBACK + query, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/?refused=oidc_")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "fit?id=4",
        "http://[",
        "/goodfit/oidc/start?next=/goodfit/oidc/start",
        "/\r\nSet-Cookie: a=b",
        "",
    ],
)
async def test_only_pages_of_the_dashboard_are_returned_to(
    dashboard: Starlette, provider: MockProvider, wanted: str
) -> None:
    assert local_path(wanted, apart_from=OWN_ROUTES) == "/"
    async with _browser(dashboard) as browser:
        answer = await browser.get(provider.sign_in(await _go(browser, wanted), "ada"))
    assert answer.headers["location"] == "/"


async def test_made_up_answers_fill_the_audit_no_further_than_the_limit(
    dashboard: Starlette, api: FastAPI, provider: MockProvider, settings: Settings
) -> None:
    limit = settings.auth.attempts_per_address
    async with _browser(dashboard) as browser:
        there = await _go(browser)
        headers = {"Cookie": "goodfit_oidc_x=key"}
        for _ in range(limit):
            answer = await browser.get(f"{CALLBACK}?state=x&code=c", headers=headers)
            _is_refused(answer, "oidc_expired")
        for _ in range(3):
            answer = await browser.get(f"{CALLBACK}?state=x&code=c", headers=headers)
            _is_refused(answer, "oidc_too_many")
        # Neither does a flow that was begun in time, or a new one, go on.
        _is_refused(await browser.get(provider.sign_in(there, "ada")), "oidc_too_many")
        _is_refused(await browser.get(START), "oidc_too_many")
    async with api.state.sessions() as session:
        refused = AuditEvent.action == "session.refused"
        noted = await session.scalar(select(func.count()).where(refused))
        flows = await session.scalar(select(func.count()).select_from(OidcFlow))
    # The one row more says that there were too many.
    assert (noted, flows) == (limit + 1, 1)


def test_page_keeps_its_query() -> None:
    kept = "/?next=mlflow&path=%2F%23%2Fa"
    assert local_path(kept, apart_from=OWN_ROUTES) == kept


async def test_silent_api_is_told_apart() -> None:
    key = SecretStr("k" * 40)
    settings = DashboardSettings(
        secrets=Secrets(service_key=key, cookie_key=key), urls=Urls(api="http://127.0.0.1:9")
    )
    bridge = ProviderBridge(settings)
    async with _browser(Starlette(routes=bridge.routes())) as browser:
        _is_refused(await browser.get(START), "oidc_unavailable")
    await bridge.close()
