"""A share begins and ends: in the browser, in the API and in MLflow."""

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

COOKIE = "goodfit_session"
MLFLOW_SECONDS = 5.0
OWNER, COLLEAGUE = "ada.share", "bob.share"


def _signed_in(stack: Stack, username: str) -> httpx.Client:
    """The API as the user's own program calls it."""
    base = f"{stack.api}/api/v1"
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    answer = httpx.post(f"{base}/auth/token", data=form, timeout=30)
    token = answer.raise_for_status().json()["access_token"]
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
def people(stack: Stack) -> None:
    """Two members who share nothing yet."""
    with _signed_in(stack, USERNAME) as admin:
        for username in (OWNER, COLLEAGUE):
            body = {"username": username, "role": "member", "password": PASSWORD}
            assert admin.post("/users", json=body).status_code == 201


@pytest.fixture
def open_as(
    stack: Stack, browser: Browser, people: None
) -> Iterator[Callable[[str], BrowserContext]]:
    """A browser of its own for each user, signed in."""
    assert people is None
    contexts: list[BrowserContext] = []

    def make(username: str) -> BrowserContext:
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.goto(stack.dashboard)
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Drop a file here.")).to_be_visible()
        # The cookie follows the page; an address typed before that asks for the password again.
        while not any(cookie["name"] == COOKIE for cookie in context.cookies()):
            page.wait_for_timeout(100)
        return context

    yield make
    for context in contexts:
        context.close()


def _write_lines(path: Path) -> Path:
    draw = random.Random(4)  # noqa: S311  # a sample, not a secret
    places = [draw.uniform(0, 10) for _ in range(80)]
    rows = (f"{x:.3f},{2 * x + draw.gauss(0, 1):.3f}" for x in places)
    path.write_text("x,y\n" + "\n".join(rows) + "\n")
    return path


def _run_a_fit(page: Page, file: Path) -> int:
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Run fit").click()
    page.wait_for_url("**/fit?id=*")
    expect(page.get_by_text("Open in MLflow")).to_be_visible(timeout=2 * PATIENCE_MS)
    found = re.search(r"id=(\d+)", page.url)
    assert found is not None
    return int(found.group(1))


def _share(page: Page, username: str) -> str:
    """Answers the link that the dialog gives to send."""
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("is shared as a whole")).to_be_visible()
    name = dialog.get_by_label("User name")
    name.fill(username)
    name.press("Enter")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.get_by_text("is a viewer of")).to_be_visible()
    link = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    return link.strip()


def _end_share(page: Page) -> None:
    page.get_by_role("link", name=f"In {OWNER}'s project").click()
    page.get_by_role("tab", name="Members").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("is no longer a member.")).to_be_visible()


def _seconds_until(true: Callable[[], bool], limit: float) -> float:
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > limit:
            pytest.fail(f"not within {limit} s")
        time.sleep(0.2)
    return time.monotonic() - start


def test_colleague_sees_a_shared_fit_at_once_and_nothing_after_the_share(
    stack: Stack, open_as: Callable[[str], BrowserContext], tmp_path: Path
) -> None:
    owner, colleague = open_as(OWNER), open_as(COLLEAGUE)
    page, guest = owner.pages[0], colleague.pages[0]
    fit_id = _run_a_fit(page, _write_lines(tmp_path / "lines.csv"))
    with _signed_in(stack, COLLEAGUE) as api, _signed_in(stack, OWNER) as owners_api:
        run_id = owners_api.get(f"/fits/{fit_id}").json()["mlflow_run_id"]
        run = f"{stack.mlflow}/ajax-api/2.0/mlflow/runs/get?run_id={run_id}"
        assert api.get(f"/fits/{fit_id}").status_code == 404
        assert not colleague.request.get(run).ok

        guest.goto(_share(page, COLLEAGUE))
        expect(guest.get_by_text("R²")).to_be_visible()
        expect(guest.get_by_text(f"Ask {OWNER} to let you edit.")).to_be_visible()
        expect(guest.get_by_role("button", name="Rerun")).to_have_count(0)
        assert api.get(f"/fits/{fit_id}").status_code == 200
        _seconds_until(lambda: colleague.request.get(run).ok, MLFLOW_SECONDS)

        _end_share(page)
        assert api.get(f"/fits/{fit_id}").status_code == 404
        plot = f"{stack.dashboard}/goodfit/plots/{fit_id}/residuals.png"
        assert colleague.request.get(plot).status == 404
        guest.get_by_role("button", name="Share", exact=True).click()
        message = f"No fit {fit_id}, or it is not shared with you."
        expect(guest.get_by_text(message)).to_be_visible()
        _seconds_until(lambda: not colleague.request.get(run).ok, MLFLOW_SECONDS)
