"""Credentials and what the API says about them."""

import asyncio
import base64

import pytest

from backend.stack.postgres import free_port
from backend.tracking.gate.callers import ApiUnavailable, Caller, CallerDirectory, presented
from tests.tracking.stand_ins import SERVICE_KEY, SESSION, TICKET, Api, running

COOKIE = "goodfit_session"


def read(**headers: str) -> tuple[str | None, bool, bool]:
    found = presented(headers, cookie_name=COOKIE, service_key=SERVICE_KEY)
    return found.token, found.by_cookie, found.is_platform


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def test_a_token_comes_by_bearer_or_as_a_password() -> None:
    assert read(authorization="Bearer gf_anna") == ("gf_anna", False, False)
    assert read(authorization="bearer a.b.c") == ("a.b.c", False, False)
    assert read(authorization=basic("anything", "gf_anna")) == ("gf_anna", False, False)


@pytest.mark.parametrize("prefix", ["gb_", "gr_", "gt_", "gl_"])
def test_tokens_for_other_purposes_do_not_come_by_a_header(prefix: str) -> None:
    assert read(authorization=f"Bearer {prefix}0123456789")[0] is None
    assert read(authorization=basic("token", f"{prefix}0123456789"))[0] is None


def test_a_browser_session_comes_by_cookie_only() -> None:
    assert read(cookie=f"other=1; {COOKIE}={SESSION}") == (SESSION, True, False)
    assert read(cookie=f"{COOKIE}=gf_anna") == (None, True, False)
    assert read(cookie=f"x{COOKIE}={SESSION}") == (None, True, False)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic !!", "Digest x", "gf_anna"])
def test_a_wrong_header_does_not_fall_back_to_the_cookie(header: str) -> None:
    assert read(authorization=header, cookie=f"{COOKIE}={SESSION}") == (None, False, False)


def test_the_platform_needs_its_key() -> None:
    assert read(authorization=basic("goodfit-service", SERVICE_KEY)) == (None, False, True)
    assert read(authorization=basic("goodfit-service", "gf_anna")) == (None, False, False)
    assert read(authorization=basic("goodfit-service", "ü")) == (None, False, False)
    assert read(authorization=f"Bearer {SERVICE_KEY}")[2] is False


async def test_requests_that_arrive_together_ask_once() -> None:
    api = Api()
    with running(api):
        directory = CallerDirectory(api.url, SERVICE_KEY)
        credentials = presented(
            {"authorization": "Bearer gf_admin"}, cookie_name=COOKIE, service_key=SERVICE_KEY
        )
        callers = await asyncio.gather(*(directory.find(credentials) for _ in range(20)))
        await directory.close()
    assert set(callers) == {Caller("root", is_admin=True)}
    assert api.questions == 1


async def test_a_person_with_the_platforms_name_is_nobody() -> None:
    api = Api()
    with running(api):
        directory = CallerDirectory(api.url, SERVICE_KEY)
        credentials = presented(
            {"authorization": "Bearer gf_impostor"}, cookie_name=COOKIE, service_key=SERVICE_KEY
        )
        assert await directory.find(credentials) is None
        await directory.close()


async def test_without_the_api_nobody_is_known_and_later_somebody_is() -> None:
    api = Api()
    credentials = presented(
        {"authorization": "Bearer gf_anna"}, cookie_name=COOKIE, service_key=SERVICE_KEY
    )
    with running(api):
        directory = CallerDirectory(api.url, SERVICE_KEY)
        api.is_broken = True
        with pytest.raises(ApiUnavailable):
            await directory.find(credentials)
        with pytest.raises(ApiUnavailable):
            await directory.redeem(TICKET)
        api.is_broken = False
        assert await directory.find(credentials) == Caller("anna", is_admin=False)
        await directory.close()


async def test_an_unreachable_api_or_a_wrong_key_is_no_permission() -> None:
    credentials = presented(
        {"authorization": "Bearer gf_anna"}, cookie_name=COOKIE, service_key=SERVICE_KEY
    )
    unreachable = CallerDirectory(f"http://127.0.0.1:{free_port()}", SERVICE_KEY)
    with pytest.raises(ApiUnavailable):
        await unreachable.find(credentials)
    await unreachable.close()
    api = Api()
    with running(api):
        stranger = CallerDirectory(api.url, "not the service key, but long enough")
        with pytest.raises(ApiUnavailable):
            await stranger.find(credentials)
        await stranger.close()


async def test_a_token_of_a_wrong_form_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    monkeypatch.setattr(api, "answer", lambda *_: (422, {}))
    credentials = presented(
        {"authorization": "Bearer gf_long"}, cookie_name=COOKIE, service_key=SERVICE_KEY
    )
    with running(api):
        directory = CallerDirectory(api.url, SERVICE_KEY)
        assert await directory.find(credentials) is None
        await directory.close()
