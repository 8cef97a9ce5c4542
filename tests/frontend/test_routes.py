"""The same-origin routes: cookie, plots, downloads, the way to MLflow."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from frontend.claims import claims
from frontend.routes import Bridge
from frontend.settings import dashboard_settings
from tests.frontend.conftest import stop_answering
from tests.frontend.world import World

ORIGIN = "http://dashboard.test"
PLOT = "/goodfit/plots/42/residuals.png"
COOKIE = "goodfit_session"


@pytest.fixture
async def browser(api_address: str) -> AsyncIterator[httpx.AsyncClient]:
    assert api_address
    bridge = Bridge(dashboard_settings())
    transport = httpx.ASGITransport(Starlette(routes=bridge.routes()))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client
    await bridge.close()


def _sign_in(browser: httpx.AsyncClient, world: World, username: str = "ada") -> str:
    cookie = world.new_token("gb_", username)
    browser.cookies.set(COOKIE, cookie)
    return cookie


async def _claim(browser: httpx.AsyncClient, ticket: str, origin: str = ORIGIN) -> httpx.Response:
    return await browser.post("/goodfit/session", content=ticket, headers={"Origin": origin})


async def test_ticket_becomes_an_httponly_cookie_once(
    browser: httpx.AsyncClient, world: World
) -> None:
    world.tickets["gt_1"] = "ada"
    answer = await _claim(browser, "gt_1")
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "gt_1" in claims
    assert (await _claim(browser, "gt_1")).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.test", "", "null"])
async def test_foreign_origin_sets_no_cookie(
    browser: httpx.AsyncClient, world: World, origin: str
) -> None:
    world.tickets["gt_2"] = "ada"
    assert (await _claim(browser, "gt_2", origin)).status_code == 403
    assert world.tickets
    answer = await browser.post("/goodfit/signout", headers={"Origin": origin})
    assert answer.status_code == 403


async def test_sign_out_ends_the_session_at_the_api(
    browser: httpx.AsyncClient, world: World
) -> None:
    cookie = _sign_in(browser, world)
    answer = await browser.post("/goodfit/signout", headers={"Origin": ORIGIN})
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert cookie not in world.tokens


async def test_plot_is_for_the_cookies_user(browser: httpx.AsyncClient, world: World) -> None:
    _sign_in(browser, world)
    answer = await browser.get(PLOT, params={"theme": "dark"})
    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["cache-control"].startswith("private")
    again = await browser.get(PLOT, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_plot_of_another_user_is_a_text_and_not_a_plot(
    browser: httpx.AsyncClient, world: World
) -> None:
    _sign_in(browser, world, "bob")
    answer = await browser.get(PLOT)
    assert answer.status_code == 404
    assert "no such plot" in answer.text


async def test_plot_without_cookie_says_what_to_do(browser: httpx.AsyncClient) -> None:
    answer = await browser.get(PLOT)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "sign in again" in answer.text


async def test_ended_session_gets_no_plot_though_its_token_was_kept(
    browser: httpx.AsyncClient, world: World
) -> None:
    _sign_in(browser, world)
    assert (await browser.get(PLOT)).status_code == 200
    world.sign_out_everywhere("ada")
    assert (await browser.get(PLOT)).status_code == 401


async def test_token_that_ended_early_is_renewed(browser: httpx.AsyncClient, world: World) -> None:
    _sign_in(browser, world)
    await browser.get(PLOT)
    for token in [token for token in world.tokens if token.startswith("at_")]:
        del world.tokens[token]
    assert (await browser.get(PLOT)).status_code == 200


async def test_silent_server_is_said_in_the_picture(
    api_address: str, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    assert api_address
    stop_answering(monkeypatch)
    bridge = Bridge(dashboard_settings())
    transport = httpx.ASGITransport(Starlette(routes=bridge.routes()))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
        _sign_in(browser, world)
        answer = await browser.get(PLOT)
    await bridge.close()
    assert answer.status_code == 503
    assert "does not answer" in answer.text


async def test_download_gives_the_original_bytes(browser: httpx.AsyncClient, world: World) -> None:
    _sign_in(browser, world)
    answer = await browser.get("/goodfit/datasets/7/1")
    assert answer.content == b"a,b\n1,2\n"
    assert "attachment" in answer.headers["content-disposition"]
    assert (await browser.get("/goodfit/datasets/8/1")).status_code == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/#/experiments/1/runs/abc", "%2F%23%2Fexperiments%2F1%2Fruns%2Fabc"),
        ("//evil.test/", "%2F"),
        ("https://evil.test/", "%2F"),
        ("/\\evil.test", "%2F"),
    ],
)
async def test_way_to_mlflow_takes_a_fresh_ticket_and_only_local_paths(
    browser: httpx.AsyncClient, world: World, path: str, expected: str
) -> None:
    _sign_in(browser, world)
    answer = await browser.get("/goodfit/mlflow", params={"path": path})
    assert answer.status_code == 303
    target = answer.headers["location"]
    assert target.startswith("http://mlflow.test/goodfit/session?ticket=gt_")
    assert target.endswith(f"&next={expected}")


async def test_way_to_mlflow_without_cookie_leads_to_the_sign_in(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/goodfit/mlflow", params={"path": "/x"})
    assert answer.headers["location"] == "/?next=mlflow&path=%2Fx"


async def test_failing_api_does_not_end_the_sign_in(
    browser: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign_in(browser, world)
    monkeypatch.setattr(world, "tokens", None)  # the stand-in answers 500
    answer = await browser.get(PLOT)
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    gone = await browser.post("/goodfit/signout", headers={"Origin": ORIGIN})
    assert gone.headers["X-Goodfit-Revoked"] == "no"
