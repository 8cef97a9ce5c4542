"""A dataset's life in a real browser: an odd file, its versions, a fit of it, trash and back."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, USERNAME, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

COOKIE = "goodfit_session"
PENGUINS = Path(__file__).parents[1] / "data" / "penguins.csv"
TILDE = "~"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(stack: Stack, context: BrowserContext) -> Page:
    """A signed-in administrator's page."""
    opened = context.new_page()
    opened.goto(stack.dashboard)
    opened.get_by_label("User name").fill(USERNAME)
    opened.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.keyboard.press("Enter")
    expect(opened.get_by_text("Drop a file here.")).to_be_visible()
    # The cookie follows the page; an address typed before that asks for the password again.
    while not any(cookie["name"] == COOKIE for cookie in context.cookies()):
        opened.wait_for_timeout(100)
    return opened


def _write(path: Path, lines: list[str], delimiter: str) -> Path:
    path.write_text("\n".join(lines).replace(",", delimiter) + "\n")
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """The penguins with tildes between their fields, and three masses that are no numbers."""
    lines = PENGUINS.read_text().splitlines()
    place = lines[0].split(",").index("body_mass_g")
    for at in (5, 9, 20):
        fields = lines[at].split(",")
        fields[place] = "unknown"
        lines[at] = ",".join(fields)
    return _write(tmp_path / "odd_penguins.csv", lines, TILDE)


@pytest.fixture
def fewer(tmp_path: Path) -> Path:
    """The same without the last hundred."""
    lines = PENGUINS.read_text().splitlines()
    return _write(tmp_path / "fewer_penguins.csv", lines[:-100], ",")


def _press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def _open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def _upload_with_delimiter(page: Page, stack: Stack, file: Path) -> None:
    page.goto(f"{stack.dashboard}/datasets")
    page.get_by_text("Options", exact=True).click()
    box = page.get_by_role("combobox", name=re.compile("Delimiter"))
    box.click()
    box.fill(TILDE)
    box.press("Enter")
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url("**/dataset?id=*")


def _dataset_number(page: Page) -> int:
    found = re.search(r"id=(\d+)", page.url)
    assert found is not None
    return int(found.group(1))


def _expect_three_doubtful_masses(page: Page) -> None:
    doubt = re.compile(r"body_mass_g: 3 of \d+ values are not numbers: 'unknown'")
    expect(page.get_by_text(doubt).first).to_be_visible()
    _open_tab(page, "Profile")
    expect(page.get_by_role("button", name="Fix it")).to_be_visible()


def _upload_version(page: Page, file: Path) -> None:
    _open_tab(page, "Versions")
    expect(page.get_by_text("delimiter ~")).to_be_visible()
    page.get_by_text("Upload the next version").click()
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.get_by_text("Version 2 is stored.")).to_be_visible()


def _expect_difference(page: Page) -> None:
    _open_tab(page, "Versions")
    page.get_by_text("Compare two versions").click()
    expect(page.get_by_text(re.compile(r"344 → 244 rows"))).to_be_visible()


def _fit(page: Page) -> int:
    _press(page, "Fit this")
    page.get_by_role("button", name="Run fit").click()
    page.wait_for_url("**/fit?id=*")
    expect(page.get_by_text("R²").first).to_be_visible(timeout=2 * PATIENCE_MS)
    return _dataset_number(page)


def test_odd_file_becomes_versions_a_fit_and_comes_back_from_the_trash(
    stack: Stack, page: Page, odd: Path, fewer: Path
) -> None:
    _upload_with_delimiter(page, stack, odd)
    number = _dataset_number(page)
    _expect_three_doubtful_masses(page)
    _upload_version(page, fewer)
    _expect_difference(page)

    fit = _fit(page)
    page.goto(f"{stack.dashboard}/dataset?id={number}&tab=Used%20by")
    expect(page.get_by_text("It was used by 1 fit.")).to_be_visible()
    # The arrows of select boxes are called "Open" as well.
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Open").click()
    page.wait_for_url(f"**/fit?id={fit}")

    page.goto(f"{stack.dashboard}/dataset?id={number}")
    _press(page, "Delete")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("It was used by 1 fit.")).to_be_visible()
    dialog.get_by_role("button", name="Move to the trash").click()
    expect(page.get_by_text("is in the trash.")).to_be_visible()
    page.goto(f"{stack.dashboard}/dataset?id={number}")
    expect(page.get_by_text(f"Dataset {number} is in the trash.")).to_be_visible()
    _press(page, "Restore")
    expect(page.get_by_text("is back.")).to_be_visible()
    page.goto(f"{stack.dashboard}/dataset?id={number}&v=1")
    expect(page.get_by_text("version 1 of 2")).to_be_visible()


def test_sample_is_shared_by_a_link_that_needs_no_sign_in(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.dashboard}/datasets")
    _press(page, "Use the sample")
    page.wait_for_url("**/dataset?id=*")
    _press(page, "Download")
    with page.expect_download() as download:
        page.get_by_role("link", name="Original file").click()
    original = Path(download.value.path()).read_bytes()
    _press(page, "Make a link")
    link = page.locator("code").filter(has_text="/downloads/").inner_text().strip()
    answer = httpx.get(link, timeout=30)
    assert answer.status_code == 200
    assert answer.content == original


def test_back_leads_to_what_was_shown_of_the_dataset(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.dashboard}/datasets")
    _press(page, "Use the sample")
    page.wait_for_url("**/dataset?id=*")
    number = _dataset_number(page)
    page.get_by_role("tab", name="Recipe", exact=True).click()
    page.wait_for_url(f"**/dataset?id={number}&tab=Recipe")
    _to(page, "Datasets")
    page.wait_for_url("**/datasets")
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()

    page.go_back()
    page.wait_for_url(f"**/dataset?id={number}&tab=Recipe")
    opened = page.get_by_role("tab", name="Recipe", exact=True)
    expect(opened).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("No step yet.")).to_be_visible()
    page.go_back()
    page.wait_for_url(f"**/dataset?id={number}")
    opened = page.get_by_role("tab", name="Preview", exact=True)
    expect(opened).to_have_attribute("aria-selected", "true")


def test_back_leads_to_the_list_with_its_filter(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.dashboard}/datasets?kind=image")
    expect(page.get_by_role("button", name="Use the sample")).to_be_visible()
    _to(page, "Models")
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.go_back()
    page.wait_for_url("**/datasets?kind=image")
    expect(page.get_by_role("combobox", name="Kind")).to_have_value("image")


def _to(page: Page, name: str) -> None:
    links = page.get_by_test_id("stSidebarNav")
    links.get_by_role("link", name=name, exact=True).click()
