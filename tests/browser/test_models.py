"""From a fit to a model that answers, learns anew and goes back, in a real browser."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

COOKIE = "goodfit_session"


def _write_houses(path: Path, rows: int, *, noise: float, seed: int) -> Path:
    draw = random.Random(seed)  # noqa: S311  # a sample, not a secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["area", "rooms", "district", "price"])
        for _ in range(rows):
            area, rooms = draw.uniform(30, 200), draw.randint(1, 6)
            price = 3_000 * area + 5_000 * rooms + draw.gauss(0, noise)
            district = draw.choice(["north", "south", "east"])
            table.writerow([f"{area:.1f}", rooms, district, f"{price:.0f}"])
    return path


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A signed-in administrator's page."""
    context: BrowserContext = browser.new_context(
        viewport={"width": 1280, "height": 1000}, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    opened.goto(stack.dashboard)
    opened.get_by_label("User name").fill(USERNAME)
    opened.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.keyboard.press("Enter")
    expect(opened.get_by_text("Drop a file here.")).to_be_visible()
    # The cookie follows the page; an address typed before that asks for the password again.
    while not any(cookie["name"] == COOKIE for cookie in context.cookies()):
        opened.wait_for_timeout(100)
    yield opened
    context.close()


def _press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def _give_reason(page: Page, reason: str, label: str) -> None:
    dialog = page.get_by_role("dialog")
    box = dialog.get_by_label("Reason")
    box.fill(reason)
    box.press("Control+Enter")
    dialog.get_by_role("button", name=label, exact=True).click()
    expect(dialog).to_have_count(0)


def _open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")


def _chip(page: Page, text: str) -> Locator:
    return page.locator(".st-key-model_aliases").get_by_text(text)


def _register_fit(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("Picked for you: last numeric column")).to_be_visible()
    # A forest of few rows is bad, and one of many is good: the retraining must find a gain.
    page.get_by_label("Estimator").click()
    page.get_by_role("option", name="Random forest").click()
    expect(page.get_by_text("Random forest predicts price")).to_be_visible()
    page.get_by_role("button", name="Run fit").click()
    page.wait_for_url("**/fit?id=*")
    _press(page, "Register as model")
    name = page.get_by_role("dialog").get_by_label("Name")
    name.fill("House prices")
    name.press("Enter")
    _press(page, "Register")
    page.wait_for_url("**/model?id=*")
    expect(page.get_by_text("No champion")).to_be_visible()


def _predict_by_hand(page: Page) -> None:
    _open_tab(page, "Try it")
    area = page.get_by_label("area")
    area.fill("100")
    area.press("Enter")
    page.get_by_role("button", name="Predict").click()
    shown = page.locator(".st-key-prediction").get_by_test_id("stMetricValue")
    price = float(shown.inner_text().replace(",", ""))
    assert 250_000 < price < 400_000
    rooms = page.get_by_label("rooms")
    rooms.fill("")
    rooms.press("Enter")
    expect(page.get_by_text("Empty, so filled as in training: rooms")).to_be_visible()
    area.fill("9000")
    area.press("Enter")
    expect(page.get_by_text("Outside the training range")).to_be_visible()
    expect(page.get_by_text("before your last change")).to_be_visible()


def _predict_a_file(page: Page, file: Path) -> None:
    _open_tab(page, "Batch")
    page.locator("input[type=file]").set_input_files(file)
    with page.expect_download() as download:
        page.get_by_text("Download", exact=True).click()
    with download.value.path().open(newline="") as content:
        rows = list(csv.DictReader(content))
    assert len(rows) == 30
    errors = [abs(float(row["prediction"]) - float(row["price"])) for row in rows]
    assert sum(errors) / len(errors) < 60_000


def _retrain(page: Page, file: Path) -> None:
    _open_tab(page, "Retraining")
    form = page.locator(".st-key-retrain_form")
    form.get_by_text("Retrain now").click()
    form.get_by_text("A new file").click()
    form.locator("input[type=file]").set_input_files(file)
    form.get_by_text("Ask before promoting").click()
    button = form.get_by_role("button", name="Retrain", exact=True)
    expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_text("is on its way")).to_be_visible()


def test_fit_becomes_a_model_that_answers_learns_and_goes_back(page: Page, tmp_path: Path) -> None:
    _register_fit(page, _write_houses(tmp_path / "few.csv", 60, noise=2_000, seed=1))
    _press(page, "Promote version 1")
    _give_reason(page, "the first one", "Make version 1 the champion")
    expect(_chip(page, "champion v1")).to_be_visible()

    _predict_by_hand(page)
    _predict_a_file(page, _write_houses(tmp_path / "rows.csv", 30, noise=1, seed=2))

    _retrain(page, _write_houses(tmp_path / "many.csv", 2_000, noise=2_000, seed=3))
    evidence = page.locator(".st-key-retraining")
    expect(evidence.get_by_text("Champion v1", exact=True)).to_be_visible(timeout=2 * PATIENCE_MS)
    expect(evidence.get_by_text("waiting for approval")).to_be_visible()
    _press(page, "Approve")
    _give_reason(page, "it has seen more", "Promote it")
    expect(_chip(page, "champion v2")).to_be_visible()

    _open_tab(page, "Versions")
    _press(page, "Roll back to version 1")
    _give_reason(page, "wrong for small houses", "Roll back to version 1")
    expect(_chip(page, "champion v1")).to_be_visible()
    expect(page.get_by_text("Open in MLflow")).to_be_visible()


def test_administrator_finds_accounts_retraining_and_jobs(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.dashboard}/admin")
    expect(page.get_by_role("button", name="New account")).to_be_visible()
    _open_tab(page, "Retraining")
    expect(page.get_by_text("Choose a model")).to_be_visible()
    _open_tab(page, "Jobs")
    expect(page.locator(".st-key-health").get_by_text("database", exact=True)).to_be_visible()
