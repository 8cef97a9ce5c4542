"""The API's failures, refreshes by several threads, and what else a page must not do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from backend.fits.states import FitState
from frontend.client import Api, RefreshGuard, Refused, Tokens, Unreachable, connection_pool, send
from frontend.headers import content_security_policy
from frontend.views.fit import is_watched_fast
from tests.frontend.world import World, make_fit


class Store:
    def __init__(self, tokens: Tokens) -> None:
        self.tokens: Tokens | None = tokens
        self.refresh_guard = RefreshGuard()


@pytest.mark.parametrize(
    ("status", "error"), [(503, Unreachable), (500, Unreachable), (409, Refused)]
)
def test_failing_server_does_not_refuse(status: int, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status))
    with httpx.Client(transport=transport, base_url="http://api") as pool, pytest.raises(error):
        send(pool, "GET", "/users/me")


def test_threads_of_a_session_refresh_once(api_address: str, world: World) -> None:
    old = Tokens("at_old", world.new_token("gr_", "ada"), 0.0)
    store = Store(old)
    api = Api(connection_pool(api_address), store)
    with ThreadPoolExecutor(8) as threads:
        users = list(threads.map(lambda _: api.me().username, range(16)))
    assert users == ["ada"] * 16
    assert world.calls.count("POST /api/v1/auth/token") == 1
    store.tokens = old  # as if a script had been stopped before it could store the new ones
    assert api.me().username == "ada"


def test_every_call_says_for_which_browser_it_is(world: World) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["X-Goodfit-Client-Address"])
        return httpx.Response(200, json=world.users["ada"].model_dump(mode="json"))

    store = Store(Tokens("at_now", "gr_now", 9e12))
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://api") as pool:
        Api(pool, store, told={"X-Goodfit-Client-Address": "203.0.113.9"}).me()
    assert seen == ["203.0.113.9"]


def test_page_connects_to_its_own_host_only() -> None:
    own = content_security_policy("goodfit.test:8501")
    assert "connect-src 'self' ws://goodfit.test:8501 wss://goodfit.test:8501;" in own
    assert "connect-src 'self';" in content_security_policy("x; script-src *")


def test_long_fit_is_watched_slowly() -> None:
    fit = make_fit(1, "ada", 1, FitState.RUNNING)
    started = datetime.now(UTC)
    assert is_watched_fast(fit.model_copy(update={"started_at": started}))
    assert not is_watched_fast(
        fit.model_copy(update={"started_at": started - timedelta(minutes=1)})
    )
