"""Cleaning in a real browser: a doubt is mended, steps are tried, made, exported and replayed."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE_MS = 60_000
PHONE = 390
CARS = "name,mpg,horsepower\n" + "".join(
    f"car {number},{30 - number * 0.5},{'?' if number == 7 else 60 + 5 * number}\n"
    for number in range(30)
)


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    with httpx.Client(base_url=f"{stack.api}/api/v1", trust_env=False, timeout=60) as client:
        token = client.post("/auth/token", data=form).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def _upload(api: httpx.Client, path: str, text: str) -> int:
    answer = api.post(path, files={"file": ("cars.csv", text.encode(), "text/csv")})
    number: int = answer.raise_for_status().json()["id" if path == "/datasets" else "version"]
    return number


def _open(page: Page, stack: Stack, address: str) -> None:
    page.goto(f"{stack.dashboard}{address}")
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")


def _shown(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def _choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).fill(option)
    page.get_by_role("option", name=option).first.click()


def test_doubt_becomes_a_recipe_that_is_made_exported_and_replayed(
    stack: Stack, page: Page, api: httpx.Client
) -> None:
    dataset = _upload(api, "/datasets", CARS)
    _open(page, stack, f"/dataset?id={dataset}&tab=Profile")
    _shown(page, "horsepower: 1 of 30 values are not numbers")
    page.get_by_role("button", name="Fix it").click()
    # The click leads to the recipe, which was tried already.
    _shown(page, "Read horsepower as number; what does not fit becomes missing")
    _shown(page, "30 → 30 rows · 3 → 3 columns · 0 → 1 missing values")

    _choose(page, "Step", "Compute a column")
    page.get_by_label("Name of the column", exact=True).fill("effort")
    page.get_by_label("Computed as", exact=True).fill("horsepower / mpg")
    page.get_by_role("button", name="Add step").click()
    _shown(page, "New: effort")
    page.get_by_text("The first rows that it changes").last.click()
    expect(page.get_by_test_id("stDataFrame").last).to_be_visible(timeout=PATIENCE_MS)

    # What was chosen survives a look at another tab.
    page.get_by_role("tab", name="Preview").click()
    page.get_by_role("tab", name="Recipe").click()
    _shown(page, "Compute effort = horsepower / mpg")
    page.get_by_role("button", name="Make the next version").click()
    _shown(page, "Version 2 is made.")

    page.get_by_role("tab", name="Recipe").click()
    page.get_by_text("How version 2 was made from version 1").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Recipe as JSON").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert [step["kind"] for step in exported["steps"]] == ["cast", "derive"]

    assert _upload(api, f"/datasets/{dataset}/versions", CARS.replace("?", "n/a")) == 3
    page.goto(f"{stack.dashboard}/dataset?id={dataset}&v=3&tab=Recipe")
    page.get_by_text("Use a recipe that exists").click()
    page.get_by_role("button", name="Replay it here").click()
    _shown(page, "Version 4 is made by the recipe of version 2.")
    versions = {
        number: api.get(f"/datasets/{dataset}/versions/{number}").raise_for_status().json()
        for number in (2, 4)
    }
    assert versions[4]["replay_of"] == 2
    assert versions[4]["content_digest"] == versions[2]["content_digest"]


def test_step_that_does_not_fit_is_told_and_a_phone_shows_all(
    stack: Stack, page: Page, api: httpx.Client
) -> None:
    dataset = _upload(api, "/datasets", CARS)
    page.set_viewport_size({"width": PHONE, "height": 844})
    _open(page, stack, f"/dataset?id={dataset}&tab=Recipe")
    _shown(page, "No step yet.")
    _choose(page, "Step", "Keep rows that meet conditions")
    _choose(page, "How", "An expression")
    page.get_by_label("Keep the rows where", exact=True).fill("mpg > 'ten'")
    page.get_by_role("button", name="Add step").click()
    _shown(page, "expression:")
    expect(page.get_by_role("button", name="Make the next version")).to_be_disabled()
    page.get_by_role("button", name="Remove", exact=True).click()
    _shown(page, "No step yet.")
    page.get_by_role("tab", name="Profile").click()
    _shown(page, "A closer look at the column")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
