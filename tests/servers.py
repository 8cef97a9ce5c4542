"""API and dashboard as processes of their own, where a test needs neither worker nor MLflow."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.settings import Settings
from backend.stack.postgres import free_port
from tests.accounts.openid_providers import wait_for

PREPARE_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Servers:
    """Where they are, and what they leave behind."""

    api: str
    dashboard: str
    logs: tuple[Path, ...]


@contextmanager
def running_servers(settings: Settings, **more: str) -> Iterator[Servers]:
    """Both of them over the database and the home of these settings."""
    home = settings.home
    ports = {"api": free_port(), "dashboard": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    environment = {**_environment(settings, ports, urls), **more}
    processes: list[subprocess.Popen[bytes]] = []
    logs = [home / "prepare.log"]
    try:
        assert _run("prepare", environment, logs[0]).wait(PREPARE_SECONDS) == 0, logs[0].read_text()
        for name, path in (("api", "/readyz"), ("dashboard", "/_stcore/health")):
            logs.append(home / f"{name}.log")
            processes.append(_run(name, environment, logs[-1]))
            wait_for(f"{urls[name]}{path}", processes[-1])
        yield Servers(api=urls["api"], dashboard=urls["dashboard"], logs=tuple(logs))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(STOP_SECONDS)


def _environment(settings: Settings, ports: dict[str, int], urls: dict[str, str]) -> dict[str, str]:
    outer = {name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")}
    return {
        **outer,
        "GOODFIT_HOME": str(settings.home),
        "GOODFIT_DATABASE__URL": settings.database.url.get_secret_value(),
        "GOODFIT_SECRETS__TOKEN_KEY": secrets.token_urlsafe(32),
        "GOODFIT_SECRETS__SERVICE_KEY": secrets.token_urlsafe(32),
        "GOODFIT_SECRETS__COOKIE_KEY": secrets.token_urlsafe(32),
        "GOODFIT_API_PORT": str(ports["api"]),
        "GOODFIT_DASHBOARD_PORT": str(ports["dashboard"]),
        "GOODFIT_URLS__API": urls["api"],
        "GOODFIT_URLS__API_INTERNAL": urls["api"],
        "GOODFIT_URLS__DASHBOARD": urls["dashboard"],
    }


def _run(name: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-P", "-m", "backend.cli", name],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
