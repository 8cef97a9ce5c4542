"""Signing in with an OpenID provider, in a browser, from the page asked for back to it."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.accounts.openid_providers import CLIENT_ID, MockProvider, mock_provider
from tests.browser.conftest import Stack, running_stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE_MS = 60_000
SUBJECT = "ada-of-the-provider"


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with mock_provider() as running:
        running.know(
            SUBJECT, email="ada@example.org", email_verified=True, preferred_username="ada"
        )
        yield running


@pytest.fixture(scope="module")
def lab(chromium: str, open_folder: Path, provider: MockProvider) -> Iterator[Stack]:
    """A stack of its own, where nobody signs in by password."""
    assert chromium
    settings = {
        "GOODFIT_OIDC__ISSUER": provider.issuer,
        "GOODFIT_OIDC__CLIENT_ID": CLIENT_ID,
        "GOODFIT_OIDC__CLIENT_SECRET": "of the client",
        "GOODFIT_OIDC__NAME": "Example & Co",
        "GOODFIT_AUTH__PASSWORD_LOGIN": "false",
    }
    with running_stack(open_folder / "oidc", settings) as stack:
        yield stack


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("GOODFIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_person_signs_in_at_the_provider_and_lands_on_the_page_asked_for(
    lab: Stack, page: Page
) -> None:
    page.goto(f"{lab.dashboard}/fits")
    button = page.get_by_role("link", name="Sign in with Example & Co")
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_label("Password", exact=True)).to_have_count(0)
    _picture(page, "oidc-sign-in")
    button.click()
    page.get_by_placeholder("sub").fill(SUBJECT)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{lab.dashboard}/fits")
    expect(page.get_by_text("Signed in as ada")).to_be_visible(timeout=PATIENCE_MS)
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(lab.dashboard)}
    assert cookies["goodfit_session"]["httpOnly"]
    assert not [name for name in cookies if name.startswith("goodfit_oidc_")]
    page.reload()
    expect(page.get_by_text("Signed in as ada")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Sign out").click()
    expect(button).to_be_visible(timeout=PATIENCE_MS)


def test_person_who_stops_at_the_provider_is_told_so(lab: Stack, page: Page) -> None:
    page.goto(lab.dashboard)
    page.get_by_role("link", name="Sign in with Example & Co").click()
    state = page.url.partition("state=")[2].partition("&")[0]
    with page.expect_response(lambda answer: "/oauth2/authorize" in answer.url) as told:
        page.get_by_role("button", name="Deny").click()
    # The mock's server leaves the state out, which the standard asks for.
    denied = told.value.headers["location"]
    assert urlsplit(denied).path == "/goodfit/oidc/callback"
    page.goto(f"{denied}&state={state}")
    said = page.get_by_text("You stopped the sign-in at Example & Co")
    expect(said).to_be_visible(timeout=PATIENCE_MS)
    _picture(page, "oidc-cancelled")
