"""The real stack in a home of its own, and a real browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from backend.stack.postgres import free_port

USERNAME = "admin"
PASSWORD = "correct horse battery staple"
START_SECONDS = 100
STOP_SECONDS = 30
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Stack:
    """Where the running product is."""

    dashboard: str
    api: str
    mlflow: str


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    outer = {name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")}
    return {
        **outer,
        "GOODFIT_HOME": str(home),
        "GOODFIT_API_PORT": str(free_port()),
        "GOODFIT_DASHBOARD_PORT": str(free_port()),
        "GOODFIT_MLFLOW_PORT": str(free_port()),
        "GOODFIT_ADMIN_USERNAME": USERNAME,
        "GOODFIT_ADMIN_PASSWORD": PASSWORD,
        **settings,
    }


# For the package, not the session: Playwright keeps an event loop running, in which no async test
# of another package could start.
@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's program; CI must have one."""
    named = [os.environ.get("GOODFIT_CHROMIUM"), *(shutil.which(name) for name in BROWSERS)]
    found = next((path for path in named if path), None)
    if found is None:
        message = "NO BROWSER: the journey was not made. Set GOODFIT_CHROMIUM to a Chromium."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="package")
def open_folder() -> Iterator[Path]:
    """Pytest's own folders are closed to the account that PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="goodfit-browser-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def stack(chromium: str, open_folder: Path) -> Iterator[Stack]:
    """The product as it comes."""
    assert chromium
    with running_stack(open_folder / "home", {}) as running:
        yield running


@contextmanager
def running_stack(home: Path, settings: Mapping[str, str]) -> Iterator[Stack]:
    """`goodfit up`, stopped by a signal; it must leave no process behind."""
    log = home.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(  # our own command
            [sys.executable, "-P", "-m", "backend.cli", "up"],
            env=_environment(home, settings),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        state = _wait_for_state(home, process, log)
        yield Stack(**state["urls"])
        pids = set(json.loads((home / "state.json").read_text())["pids"].values())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, log.read_text()
    assert not [pid for pid in pids if psutil.pid_exists(pid)], log.read_text()


def _wait_for_state(
    home: Path, process: subprocess.Popen[bytes], log: Path
) -> dict[str, dict[str, str]]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if (home / "state.json").exists():
            state: dict[str, dict[str, str]] = json.loads((home / "state.json").read_text())
            return state
        time.sleep(0.1)
    pytest.fail(f"the stack did not start:\n{log.read_text()}")


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()
