"""MLflow's pages in a browser, signed in by a ticket."""

import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

from backend.tracking.port import FitRecord, RecordedRun
from tests.tracking.conftest import MlflowServer
from tests.tracking.test_gate import model_of

pytestmark = pytest.mark.browser
# MLflow's pages ask for its assistant when they come from this machine; it is closed.
CLOSED = re.compile(r"/ajax-api/3\.0/mlflow/assistant/")


def in_browser(visit: Callable[[Page], None]) -> None:
    """Call with a new page; in a thread, as Playwright refuses a thread that has a loop."""
    program = os.environ.get("GOODFIT_TEST_BROWSER") or shutil.which("chromium")

    def run() -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(20_000)
            visit(page)
            browser.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()


def test_a_reader_looks_at_a_run_and_its_model(
    mlflow_server: MlflowServer, recorded: Callable[[str, int], tuple[FitRecord, RecordedRun]]
) -> None:
    _, run = recorded("anna", 1)
    mlflow_server.api.tickets.add("gt_for_the_browser")
    model_id = model_of(mlflow_server, run.run_id)["info"]["model_id"]
    experiment = f"/#/experiments/{run.experiment_id}"
    session = f"{mlflow_server.url}/goodfit/session?ticket=gt_for_the_browser"
    refused: list[tuple[int, str, str]] = []

    def watch(response: Response) -> None:
        if response.status >= 400 and not CLOSED.search(response.url):
            refused.append((response.status, response.request.method, response.url))

    def visit(page: Page) -> None:
        page.on("response", watch)
        page.goto(f"{session}&next={quote(f'{experiment}/runs/{run.run_id}', safe='')}")
        expect(page.get_by_role("heading", name="Fit 1")).to_be_visible(timeout=20_000)
        assert "ticket" not in page.url
        for text in ("sizes v3", "baseline.r2", "ordinary_least_squares"):
            expect(page.get_by_text(text).first).to_be_visible()
        page.goto(f"{mlflow_server.url}{experiment}?workflowType=machine_learning")
        expect(page.get_by_role("link", name="Fit 1", exact=True)).to_be_visible()
        page.goto(f"{mlflow_server.url}{experiment}/models/{model_id}/artifacts")
        page.get_by_text("MLmodel", exact=True).first.click()
        expect(page.get_by_text("loader_module: mlflow.sklearn").first).to_be_visible()
        page.goto(f"{mlflow_server.url}/#/models")
        page.reload()
        expect(page.get_by_text("Registered Models").first).to_be_visible()
        page.goto(f"{mlflow_server.url}/#/experiments")
        expect(page.get_by_text("anna-personal").first).to_be_visible()

    in_browser(visit)
    assert refused == []
