"""Fits in a real browser: ticked rows, live progress, tabs, and a leaderboard from the form."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PENGUINS = Path(__file__).parents[1] / "data" / "penguins.csv"
PATIENCE_MS = 90_000
# The grid's cells are drawn on a canvas: tick boxes are the first column, below the header.
TICK_X, ROW_HEIGHT = 16, 35


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """Signed in as the browser will be."""
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    with httpx.Client(base_url=f"{stack.api}/api/v1", timeout=60) as client:
        answer = client.post("/auth/token", data=form).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {answer['access_token']}"
        yield client


@pytest.fixture(scope="module")
def dataset(api: httpx.Client) -> int:
    with PENGUINS.open("rb") as file:
        answer = api.post("/datasets", files={"file": ("penguins.csv", file)})
    number: int = answer.raise_for_status().json()["id"]
    return number


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    opened.goto(stack.dashboard)
    opened.get_by_label("User name").fill(USERNAME)
    opened.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.keyboard.press("Enter")
    expect(opened.get_by_text("Drop a file here.")).to_be_visible(timeout=PATIENCE_MS)
    yield opened
    context.close()


def _start(api: httpx.Client, dataset: int, **more: object) -> int:
    body = {"dataset_id": dataset, "target": "body_mass_g", **more}
    number: int = api.post("/fits", json=body).raise_for_status().json()["id"]
    return number


def test_fit_with_a_search_is_watched_to_its_trials(
    page: Page, stack: Stack, api: httpx.Client, dataset: int
) -> None:
    search = {"kind": "random", "trials": 4}
    fit = _start(api, dataset, estimator="random_forest", search=search, notes="# Why\n**bold**")
    page.goto(f"{stack.dashboard}/fit?id={fit}")
    expect(page.get_by_role("tab", name="Trials")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Trials").click()
    expect(page.get_by_text("Best: trial")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Rerun with the best")).to_be_visible()
    page.get_by_role("tab", name="Notes & tags").click()
    expect(page.get_by_role("heading", name="Why")).to_be_visible(timeout=PATIENCE_MS)
    assert "tab=Notes" in page.url
    page.get_by_role("button", name="Rerun with changes").click()
    expect(page.get_by_text(f"As fit {fit}")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("a random search tries up to 4 combinations")).to_be_visible()


def test_ticked_rows_stay_while_another_fit_arrives(
    page: Page, stack: Stack, api: httpx.Client, dataset: int
) -> None:
    first = _start(api, dataset, estimator="ridge", name="to be ticked")
    # Slow enough that the list is live.
    slow = {"kind": "repeated", "folds": 10, "repeats": 20}
    running = _start(api, dataset, estimator="random_forest", validation=slow)
    page.goto(f"{stack.dashboard}/fits")
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(500)  # the grid draws its rows after its canvas
    table.click(position={"x": TICK_X, "y": ROW_HEIGHT * 2 + ROW_HEIGHT // 2})
    # The one before lingers until its run has ended.
    box = page.get_by_test_id("stMultiSelect").filter(has_text="Fits no.").first
    expect(box).to_contain_text(str(first), timeout=PATIENCE_MS)
    newest = _start(api, dataset, estimator="ridge", name="arrives later")
    expect(page.get_by_role("button", name="Show 1 new fit")).to_be_visible(timeout=PATIENCE_MS)
    expect(box).to_contain_text(str(first))
    page.get_by_role("button", name="Show 1 new fit").click()
    expect(page.get_by_role("button", name="Show 1 new fit")).to_be_hidden(timeout=PATIENCE_MS)
    expect(box).to_contain_text(str(first))
    expect(box).not_to_contain_text(str(newest))
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("1 fit archived.")).to_be_visible(timeout=PATIENCE_MS)
    assert api.get(f"/fits/{first}").json()["archived_at"] is not None
    api.post(f"/fits/{running}/cancel").raise_for_status()


def test_form_becomes_a_leaderboard(page: Page, stack: Stack, dataset: int) -> None:
    page.goto(f"{stack.dashboard}/new?dataset={dataset}&v=1")
    page.get_by_role("button", name="Try several estimators").click()
    for name in ("Ridge", "Decision tree"):
        page.get_by_label("Estimators", exact=True).fill(name)
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start the leaderboard").click()
    page.wait_for_url("**/leaderboard?id=*")
    expect(page.get_by_text("Finished: 2 of 2 fits are done")).to_be_visible(timeout=PATIENCE_MS)
    opens = page.get_by_role("button", name="Open", exact=True)
    expect(opens).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stDataFrame")).to_have_count(1, timeout=PATIENCE_MS)
    opens.click()
    page.wait_for_url("**/fit?id=*")
