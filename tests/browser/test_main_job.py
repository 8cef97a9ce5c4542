"""The main job, end to end: sign in, drop a file, run, see the plot, sign out."""

import csv
import random
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
COOKIE = "goodfit_session"
PLOT = "img[src^='/goodfit/plots/']"
# The machine may be busy; the product's own budget is a matter of the benchmarks.
GATE_MEMORY_SECONDS = 5
PATIENCE_MS = 60_000


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A small table with a linear relation and noise."""
    draw = random.Random(4)  # noqa: S311  # a sample, not a secret
    path = tmp_path / "houses.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["area", "rooms", "district", "price"])
        for _ in range(400):
            area, rooms = draw.uniform(30, 200), draw.randint(1, 6)
            price = 3_000 * area + 5_000 * rooms + draw.gauss(0, 20_000)
            rows.writerow([f"{area:.1f}", rooms, draw.choice("NSEW"), f"{price:.0f}"])
    return path


@pytest.fixture
def hosts() -> set[str]:
    """Whom the browser talked to."""
    return set()


@pytest.fixture
def context(browser: Browser, hosts: set[str]) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 1000})
    opened.set_default_timeout(PATIENCE_MS)
    opened.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    yield opened
    opened.close()


def _sign_in(page: Page) -> None:
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")


def _expect_drawn_plot(page: Page) -> None:
    expect(page.locator(PLOT).first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function(
        "selector => [...document.querySelectorAll(selector)]"
        ".some(plot => plot.complete && plot.naturalWidth > 1200)",
        arg=PLOT,
    )


def _run_fit(page: Page, stack: Stack, file: Path) -> str:
    """From an anonymous browser to the plot; answers the fit's address."""
    page.goto(stack.dashboard)
    _sign_in(page)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("Picked for you: last numeric column")).to_be_visible(
        timeout=PATIENCE_MS
    )
    page.get_by_role("button", name="Run fit").click()
    page.wait_for_url("**/fit?id=*")
    _expect_drawn_plot(page)
    return page.url


def test_main_job_from_sign_in_to_sign_out(
    stack: Stack, context: BrowserContext, hosts: set[str], houses: Path
) -> None:
    page = context.new_page()
    fit = _run_fit(page, stack, houses)
    expect(page.get_by_text("baseline").first).to_be_visible()
    cookie = next(entry for entry in context.cookies() if entry.get("name") == COOKIE)
    assert cookie.get("httpOnly") is True

    deep_link = context.new_page()
    deep_link.goto(fit)
    _expect_drawn_plot(deep_link)
    deep_link.close()

    _expect_run_in_mlflow(page, context, stack)
    assert hosts == {urlsplit(stack.dashboard).netloc, urlsplit(stack.mlflow).netloc}

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("User name")).to_be_visible(timeout=PATIENCE_MS)
    _expect_cookie_gone(page, context)
    _expect_replay_refused(context, stack, fit, str(cookie.get("value")))


def _expect_run_in_mlflow(page: Page, context: BrowserContext, stack: Stack) -> None:
    with context.expect_page() as opened:
        page.get_by_text("Open in MLflow").click()
    run = opened.value
    expect(run.get_by_text("price by Ordinary least squares").first).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert run.url.startswith(stack.mlflow)
    run.close()


def _expect_cookie_gone(page: Page, context: BrowserContext) -> None:
    for _ in range(50):
        if not any(entry.get("name") == COOKIE for entry in context.cookies()):
            return
        page.wait_for_timeout(100)
    pytest.fail("the cookie is still there")


def _expect_replay_refused(context: BrowserContext, stack: Stack, fit: str, cookie: str) -> None:
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": stack.dashboard}])
    page = context.new_page()
    page.goto(fit)
    expect(page.get_by_label("User name")).to_be_visible(timeout=PATIENCE_MS)
    answer = context.request.get(f"{stack.dashboard}/goodfit/plots/1/residuals.png")
    assert answer.status == 401
    # MLflow's gate remembers who holds a cookie for a few seconds, and no longer.
    deadline = time.monotonic() + GATE_MEMORY_SECONDS
    while context.request.get(f"{stack.mlflow}/", max_redirects=0).status not in (303, 401):
        assert time.monotonic() < deadline, "a signed-out cookie still opens MLflow"
        page.wait_for_timeout(250)


def test_deep_link_survives_sign_in_and_back_leads_home(
    stack: Stack, context: BrowserContext, houses: Path
) -> None:
    page = context.new_page()
    fit = _run_fit(page, stack, houses)
    context.clear_cookies()
    anonymous = context.new_page()
    anonymous.goto(fit)
    expect(anonymous.get_by_text("you go there next")).to_be_visible(timeout=PATIENCE_MS)
    _sign_in(anonymous)
    _expect_drawn_plot(anonymous)
    assert anonymous.url == fit
    page.go_back()
    expect(page.get_by_text("Drop a file here.")).to_be_visible(timeout=PATIENCE_MS)


def test_anonymous_browser_at_mlflow_comes_to_the_sign_in_and_back(
    stack: Stack, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(stack.mlflow)
    expect(page.get_by_text("You asked for MLflow")).to_be_visible(timeout=PATIENCE_MS)
    assert page.url.startswith(stack.dashboard)
    _sign_in(page)
    with context.expect_page() as opened:
        page.get_by_text("Go on to MLflow").click()
    opened.value.wait_for_url(f"{stack.mlflow}/**")
