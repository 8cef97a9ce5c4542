import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import FileUploader
from streamlit.util import calc_hash

from frontend.client import connection_pool
from frontend.settings import dashboard_settings
from tests.frontend.api_process import running_api
from tests.frontend.world import PASSWORD, SERVICE_KEY, World, make_world

APP = Path(__file__).parents[2] / "frontend" / "app.py"
COOKIE_KEY = "cookie-key-of-the-dashboard-tests-0123456789"
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest leaves its page as `__main__`, and every process forked later would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def world() -> World:
    # Every AppTest has the same session, so that what one test was told would answer the next.
    st.cache_data.clear()
    return make_world()


@pytest.fixture
def api_address(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API's stand-in runs, and the dashboard's settings lead to it."""
    with running_api(world) as address:
        monkeypatch.setenv("GOODFIT_URLS__API", address)
        monkeypatch.delenv("GOODFIT_URLS__API_INTERNAL", raising=False)
        monkeypatch.setenv("GOODFIT_URLS__MLFLOW", "http://mlflow.test")
        monkeypatch.setenv("GOODFIT_SECRETS__SERVICE_KEY", SERVICE_KEY)
        monkeypatch.setenv("GOODFIT_SECRETS__COOKIE_KEY", COOKIE_KEY)
        dashboard_settings.cache_clear()
        yield address
        connection_pool(address).close()
        dashboard_settings.cache_clear()
        connection_pool.cache_clear()


@pytest.fixture
def open_page(api_address: str) -> Open:
    """Opens a page as an anonymous browser does."""
    assert api_address

    def make(page: str = "", **parameters: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=20)
        app._page_hash = calc_hash(page)  # AppTest itself only switches to pages of a file
        app.query_params.update(parameters)
        return app.run()

    return make


@pytest.fixture
def sign_in(open_page: Open) -> Open:
    """Opens a page and signs in there."""

    def make(username: str, page: str = "", **parameters: str) -> AppTest:
        return submit_sign_in(open_page(page, **parameters), username)

    return make


def submit_sign_in(app: AppTest, username: str, password: str = PASSWORD) -> AppTest:
    app.text_input[0].set_value(username)
    app.text_input[1].set_value(password)
    button = next(button for button in app.button if button.label == "Sign in")
    return button.click().run()


def go_to(app: AppTest, page: str, **parameters: str) -> AppTest:
    app._page_hash = calc_hash(page)
    app.query_params.clear()
    app.query_params.update(parameters)
    return app.run()


def press(app: AppTest, label: str) -> AppTest:
    button = next(button for button in app.button if button.label == label)
    return button.click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def texts(app: AppTest) -> str:
    """Everything that the page says."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "info", "warning", "success")
    said = [getattr(element, "value", "") for kind in kinds for element in app.get(kind)]
    return "\n".join(str(value) for value in said)


def said(app: AppTest) -> str:
    """The same as a person reads it, without the marks that keep user text from being Markdown."""
    return texts(app).replace("\\", "")


def stop_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leads the dashboard to a port where nobody listens."""
    monkeypatch.setenv("GOODFIT_URLS__API", "http://127.0.0.1:9")
    dashboard_settings.cache_clear()


def drop(app: AppTest, file_name: str, content: bytes) -> AppTest:
    """Drops a file on the page's drop zone."""
    zone = app.get("file_uploader")[0]
    assert isinstance(zone, FileUploader)
    zone.upload(file_name, content, "text/csv")
    return app.run()
