"""One embedded Postgres per test process, its schema built by Alembic; each test rolls back."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from backend.accounts import users
from backend.bootstrap import create_admin
from backend.core.access import Role, Viewer
from backend.core.db import create_engine
from backend.core.security import name_key
from backend.main import create_app
from backend.migrate import upgrade
from backend.settings import DatabaseSettings, SecretSettings, Settings
from backend.stack.postgres import EmbeddedPostgres
from backend.tables import AuditEvent, User

PASSWORD = "correct horse battery"
# The product's own hashes are dear on purpose; a hash says itself how dear it is.
CHEAP_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
DATA = Path(__file__).parent / "data"
SignIn = Callable[..., Awaitable[httpx.AsyncClient]]
Person = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(
        tmp_path_factory.mktemp("postgres"), databases=("goodfit",), durable=False
    )
    server.start()
    yield server
    server.stop()


def make_settings(url: str, home: Path) -> Settings:
    return Settings(
        home=home,
        database=DatabaseSettings(url=url),
        secrets=SecretSettings(
            token_key=secrets.token_urlsafe(32),
            service_key=secrets.token_urlsafe(32),
            cookie_key=secrets.token_urlsafe(32),
        ),
        allowed_hosts="test",
    )


@pytest.fixture(scope="session")
def settings(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = make_settings(postgres.url("goodfit"), tmp_path_factory.mktemp("home"))
    upgrade(made)
    # One MLflow serves all tests, and knows fits by number: apart from those that tests make up.
    with psycopg.connect(postgres.url("goodfit"), autocommit=True) as connection:
        connection.execute("ALTER TABLE fits ALTER COLUMN id RESTART WITH 10000000")
    return made


@pytest.fixture(scope="session")
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings.database)
    yield engine
    async with engine.connect() as connection:
        for table in (User, AuditEvent):
            left = await connection.scalar(select(func.count()).select_from(table))
            assert left == 0, f"a test committed to {table.__tablename__}, which all tests share"
    await engine.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Sessions inside one outer transaction, so that a rollback of the code stays its own."""
    async with engine.connect() as connection:
        outer = await connection.begin()
        yield async_sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        await outer.rollback()


@pytest.fixture(scope="session")
async def started_app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def app(started_app: FastAPI, sessions: async_sessionmaker[AsyncSession]) -> FastAPI:
    started_app.state.sessions = started_app.state.read_sessions = sessions
    return started_app


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def make_user(
    sessions: async_sessionmaker[AsyncSession],
) -> Callable[..., Awaitable[User]]:
    async def make(
        username: str, role: Role = Role.MEMBER, password_hash: str = CHEAP_HASH
    ) -> User:
        async with sessions() as session:
            user = User(
                username=username,
                username_key=name_key(username),
                role=role.value,
                password_hash=password_hash,
            )
            await users.add_user(session, user)
            await session.commit()
        return user

    return make


@pytest.fixture
async def sign_in(
    app: FastAPI,
    make_user: Callable[..., Awaitable[User]],
) -> AsyncIterator[SignIn]:
    """Makes the user where needed and answers a client that carries its access token."""
    clients: list[httpx.AsyncClient] = []
    known: set[str] = set()

    async def make(username: str, role: Role = Role.MEMBER) -> httpx.AsyncClient:
        if username not in known:
            await make_user(username, role)
            known.add(username)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://test")
        clients.append(client)
        answer = await client.post(
            "/api/v1/auth/token", data={"username": username, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A database in which tests really commit."""
    home = tmp_path_factory.mktemp("parallel")
    server = EmbeddedPostgres(home / "postgres", databases=("parallel",), durable=False)
    server.start()
    settings = make_settings(server.url("parallel"), home)
    upgrade(settings)
    create_admin(settings, "root", PASSWORD)
    yield settings
    server.stop()


@pytest.fixture
async def real(committed: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(committed)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def person(real: FastAPI) -> AsyncIterator[Person]:
    """Signs somebody in, who is made where needed."""
    clients: list[httpx.AsyncClient] = []

    def client() -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=real, raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60))
        return clients[-1]

    async def sign_in(username: str) -> httpx.AsyncClient:
        if username != "root":
            body = {"username": username, "password": PASSWORD, "role": Role.MEMBER}
            root = await sign_in("root")
            assert (await root.post("/api/v1/users", json=body)).status_code in (201, 409)
        own = client()
        form = {"username": username, "password": PASSWORD}
        answer = await own.post("/api/v1/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        own.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return own

    yield sign_in
    for opened in clients:
        await opened.aclose()


def viewer_of(user: User) -> Viewer:
    return Viewer(user_id=user.id, username=user.username, role=Role(user.role))


async def upload_csv(
    client: httpx.AsyncClient, content: bytes | None = None, name: str = "penguins.csv"
) -> httpx.Response:
    body = (DATA / "penguins.csv").read_bytes() if content is None else content
    return await client.post("/api/v1/datasets", files={"file": (name, body, "text/csv")})
