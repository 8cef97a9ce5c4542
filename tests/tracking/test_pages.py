"""MLflow's pages in a browser, signed in by a ticket."""

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

from backend.tracking.port import FitRecord, RecordedRun
from tests.tracking.conftest import MlflowServer
from tests.tracking.test_gate import model_of

pytestmark = pytest.mark.browser
# MLflow's pages ask for its assistant on this machine; it is closed.
CLOSED = re.compile(r"/ajax-api/3\.0/mlflow/assistant/")


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(20_000)
        yield page
        browser.close()


def test_a_reader_looks_at_a_run_and_its_model(
    mlflow_server: MlflowServer,
    recorded: Callable[[str, int], tuple[FitRecord, RecordedRun]],
    page: Page,
) -> None:
    _, run = recorded("anna", 1)
    refused: list[Any] = []

    def watch(response: Response) -> None:
        if response.status >= 400 and not CLOSED.search(response.url):
            refused.append((response.status, response.request.method, response.url))

    page.on("response", watch)
    mlflow_server.api.tickets.add("gt_for_the_browser")
    run_page = f"/#/experiments/{run.experiment_id}/runs/{run.run_id}"
    wanted = quote(run_page, safe="")
    page.goto(f"{mlflow_server.url}/goodfit/session?ticket=gt_for_the_browser&next={wanted}")
    expect(page.get_by_role("heading", name="Fit 1")).to_be_visible(timeout=20_000)
    assert "ticket" not in page.url
    expect(page.get_by_text("sizes v3").first).to_be_visible()
    expect(page.get_by_text("baseline.r2").first).to_be_visible()
    expect(page.get_by_text("ordinary_least_squares").first).to_be_visible()
    model_id = model_of(mlflow_server, run.run_id)["info"]["model_id"]
    page.goto(f"{mlflow_server.url}/#/experiments/{run.experiment_id}/models/{model_id}/artifacts")
    page.get_by_text("MLmodel", exact=True).first.click()
    expect(page.get_by_text("loader_module: mlflow.sklearn").first).to_be_visible()
    page.goto(f"{mlflow_server.url}/#/experiments")
    expect(page.get_by_text("anna-personal").first).to_be_visible()
    assert refused == []
