"""API and dashboard as processes of their own, over a database of their own."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from backend.settings import Settings
from tests.servers import running_servers

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


@pytest.fixture(scope="package")
def edge(make_database: Callable[[str], Settings]) -> Iterator[Edge]:
    settings = make_database("edge")
    service_key = secrets.token_urlsafe(32)
    more = {
        "GOODFIT_SECRETS__SERVICE_KEY": service_key,
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
    with running_servers(settings, **more) as servers:
        yield Edge(
            api=servers.api,
            dashboard=servers.dashboard,
            database=settings.database.url.get_secret_value(),
            service_key=service_key,
            logs=servers.logs,
        )
