"""API and dashboard as processes of their own, over a database of their own."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from backend.migrate import upgrade
from backend.stack.postgres import EmbeddedPostgres, free_port
from tests.accounts.openid_providers import wait_for
from tests.conftest import make_settings

PROXY = "127.0.0.2"
ATTEMPTS = 4
ADMIN = "root"
ADMIN_PASSWORD = "a marker that must stay nowhere"


@dataclass(frozen=True)
class Edge:
    """The running servers, and what they leave behind."""

    api: str
    dashboard: str
    database: str
    service_key: str
    logs: tuple[Path, ...]

    def client(self, address: str = "127.0.0.1", base: str | None = None) -> httpx.Client:
        """A client whose connections come from this address of the loopback network."""
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(transport=transport, base_url=base or self.api, timeout=30)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement.encode()).fetchall()

    def logged(self) -> str:
        return "".join(log.read_text() for log in self.logs)


def _environment(
    database: str, home: Path, service_key: str, ports: dict[str, int]
) -> dict[str, str]:
    outer = {name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")}
    return {
        **outer,
        "GOODFIT_HOME": str(home),
        "GOODFIT_DATABASE__URL": database,
        "GOODFIT_SECRETS__TOKEN_KEY": secrets.token_urlsafe(32),
        "GOODFIT_SECRETS__SERVICE_KEY": service_key,
        "GOODFIT_SECRETS__COOKIE_KEY": secrets.token_urlsafe(32),
        "GOODFIT_API_PORT": str(ports["api"]),
        "GOODFIT_DASHBOARD_PORT": str(ports["dashboard"]),
        "GOODFIT_URLS__API": f"http://127.0.0.1:{ports['api']}",
        "GOODFIT_URLS__API_INTERNAL": f"http://127.0.0.1:{ports['api']}",
        "GOODFIT_URLS__DASHBOARD": "https://lab.example.org",
        "GOODFIT_AUTH__TRUSTED_PROXIES": PROXY,
        "GOODFIT_AUTH__ATTEMPTS_PER_ADDRESS": str(ATTEMPTS),
        "GOODFIT_AUTH__ATTEMPTS_PER_ACCOUNT": "1000",
        "GOODFIT_OIDC__ISSUER": "http://127.0.0.1:9",
        "GOODFIT_OIDC__CLIENT_ID": "lab",
        "GOODFIT_OIDC__CLIENT_SECRET": "client-secret-marker",
        "GOODFIT_ADMIN_USERNAME": ADMIN,
        "GOODFIT_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "GOODFIT_LOG_LEVEL": "DEBUG",
    }


@pytest.fixture(scope="package")
def edge(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    home = tmp_path_factory.mktemp("edge")
    # The servers come and go with the tests of this folder, which others may stand between.
    name = f"edge_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url("goodfit"), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    database = postgres.url(name)
    upgrade(make_settings(database, home))
    ports = {"api": free_port(), "dashboard": free_port()}
    service_key = secrets.token_urlsafe(32)
    environment = _environment(database, home, service_key, ports)
    processes: list[subprocess.Popen[bytes]] = []
    logs = []
    try:
        _run("prepare", environment, home / "prepare.log").wait(60)
        for name, path in (("api", "/readyz"), ("dashboard", "/_stcore/health")):
            logs.append(home / f"{name}.log")
            processes.append(_run(name, environment, logs[-1]))
            wait_for(f"http://127.0.0.1:{ports[name]}{path}", processes[-1])
        yield Edge(
            api=f"http://127.0.0.1:{ports['api']}",
            dashboard=f"http://127.0.0.1:{ports['dashboard']}",
            database=database,
            service_key=service_key,
            logs=(home / "prepare.log", *logs),
        )
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(20)


def _run(name: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-P", "-m", "backend.cli", name],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
