"""From an invitation to a revoked token, in a real browser and with a program beside it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE_MS = 60_000
INVITED = "grace"
SENTENCE = "compilers are for people who sleep"


def _open(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def admins(browser: Browser) -> Iterator[BrowserContext]:
    yield from _open(browser)


@pytest.fixture
def guests(browser: Browser) -> Iterator[BrowserContext]:
    yield from _open(browser)


def _see(wanted: Locator) -> None:
    expect(wanted).to_be_visible(timeout=PATIENCE_MS)


def sign_in(page: Page, username: str, password: str) -> None:
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")
    _see(page.get_by_text(f"Signed in as {username}"))


def invite(page: Page, stack: Stack, username: str) -> str:
    """As an administrator; answers the link."""
    page.goto(f"{stack.dashboard}/admin")
    sign_in(page, USERNAME, PASSWORD)
    page.get_by_role("button", name="New account").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User name").fill(username)
    dialog.get_by_role("button", name="Create account").click()
    link = page.get_by_test_id("stCode").inner_text().strip()
    dialog.get_by_role("button", name="I have copied it").click()
    return link


def accept(page: Page, link: str, username: str, password: str) -> None:
    """Opens the link, learns why a weak password is refused, sets a better one."""
    page.goto(link)
    _see(page.get_by_text(f"This link sets the password of {username}"))
    assert urlsplit(page.url).query == ""
    for typed in ("password12345", password):
        page.get_by_label("New password", exact=True).fill(typed)
        page.get_by_label("New password again").fill(typed)
        page.get_by_role("button", name="Set the password and sign in").click()
        if typed != password:
            _see(page.get_by_role("alert").first)
    _see(page.get_by_text(f"Signed in as {username}"))
    _see(page.get_by_role("heading", name="Home"))


def make_token(page: Page, stack: Stack, name: str) -> str:
    """On the account page; answers its text."""
    page.goto(f"{stack.dashboard}/account?part=Tokens")
    _see(page.get_by_text("No tokens."))
    page.get_by_role("button", name="New token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Make the token").click()
    text = page.get_by_test_id("stCode").first.inner_text().strip()
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_be_hidden(timeout=PATIENCE_MS)
    _see(page.get_by_text("1 token", exact=True))
    assert text not in page.content()
    return text


def _ask(stack: Stack, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{stack.api}/api/v1/users/me", headers=headers, trust_env=False)


def test_invited_user_makes_a_token_that_outlives_sessions_and_ends_when_revoked(
    stack: Stack, admins: BrowserContext, guests: BrowserContext
) -> None:
    link = invite(admins.new_page(), stack, INVITED)
    page = guests.new_page()
    accept(page, link, INVITED, SENTENCE)
    token = make_token(page, stack, "laptop")
    answer = _ask(stack, token)
    assert (answer.status_code, answer.json()["username"]) == (200, INVITED)

    page.get_by_role("tab", name="Sessions").click()
    page.get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    _see(page.get_by_text("You are signed out everywhere."))
    page.reload()
    _see(page.get_by_label("User name"))
    assert _ask(stack, token).status_code == 200

    sign_in(page, INVITED, SENTENCE)
    page.goto(f"{stack.dashboard}/account?part=Tokens")
    page.get_by_role("button", name="Revoke", exact=True).click()
    page.get_by_role("button", name="Revoke it").click()
    _see(page.get_by_text("The token laptop is revoked."))
    assert _ask(stack, token).status_code == 401

    again = guests.new_page()
    again.goto(link)
    _see(again.get_by_text("This link was used already"))


def test_address_typed_right_after_the_sign_in_opens_without_another(
    stack: Stack, guests: BrowserContext
) -> None:
    page = guests.new_page()
    page.goto(stack.dashboard)
    sign_in(page, USERNAME, PASSWORD)
    page.goto(f"{stack.dashboard}/fits")
    _see(page.get_by_role("heading", name="Fits"))
