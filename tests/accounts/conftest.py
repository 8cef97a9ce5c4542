"""What needs transactions that really commit: a database of its own and parallel requests."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from backend.bootstrap import create_admin
from backend.core.db import SessionFactory
from backend.main import create_app
from backend.migrate import upgrade
from backend.settings import Settings
from backend.stack.postgres import EmbeddedPostgres
from tests.conftest import PASSWORD, make_settings

NewClient = Callable[[], httpx.AsyncClient]


@pytest.fixture(scope="session")
def make_database(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Settings]:
    """Settings of a new, empty database at head."""

    def make(name: str) -> Settings:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        settings = make_settings(postgres.url(name), Path(tmp_path_factory.mktemp(name)))
        upgrade(settings)
        return settings

    return make


@pytest.fixture(scope="session")
def committing_settings(make_database: Callable[[str], Settings]) -> Settings:
    settings = make_database("committing")
    create_admin(settings, "root", PASSWORD)
    return settings


@pytest.fixture(scope="session")
async def committing_app(committing_settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(committing_settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def committing_app_sessions(committing_app: FastAPI) -> SessionFactory:
    sessions: SessionFactory = committing_app.state.sessions
    return sessions


@pytest.fixture
async def committing(committing_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests run at the same time, each on a connection of its own."""
    transport = httpx.ASGITransport(app=committing_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
