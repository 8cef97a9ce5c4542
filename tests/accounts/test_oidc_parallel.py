"""Sign-ins with a provider at the same moment, over connections of their own."""

import asyncio
from collections import Counter

import httpx
import psycopg
from pydantic import SecretStr

from backend.core.db import create_engine, create_sessions
from backend.main import create_app
from backend.migrate import upgrade
from backend.settings import OidcSettings, Settings
from backend.stack.postgres import EmbeddedPostgres
from tests.accounts.openid_providers import CLIENT_ID, brought_back, mock_provider
from tests.conftest import make_settings

PARALLEL = 8


async def test_one_of_parallel_returns_wins_and_one_account_is_made(
    postgres: EmbeddedPostgres, settings: Settings
) -> None:
    with psycopg.connect(postgres.url("goodfit"), autocommit=True) as connection:
        connection.execute("create database oidc_parallel")
    own = make_settings(postgres.url("oidc_parallel"), settings.home)
    await asyncio.to_thread(upgrade, own)
    with mock_provider() as provider:
        provider.know("ada", email="ada@example.org", email_verified=True)
        oidc = OidcSettings(
            issuer=provider.issuer, client_id=CLIENT_ID, client_secret=SecretStr("of the client")
        )
        app = create_app(own.model_copy(update={"oidc": oidc}))
        engine = create_engine(own.database)
        app.state.sessions = create_sessions(engine)
        headers = {"X-Goodfit-Service-Key": own.secrets.service_key.get_secret_value()}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test/api/v1/internal/oidc/", headers=headers
        ) as client:

            async def body() -> dict[str, str]:
                started = (await client.post("start", json={})).json()
                back = await asyncio.to_thread(provider.sign_in, started["address"], "ada")
                return {"key": started["key"], **brought_back(back)}

            bodies = [await body() for _ in range(PARALLEL)]
            answers = await asyncio.gather(*(client.post("finish", json=one) for one in bodies))
            assert [answer.status_code for answer in answers] == [200] * PARALLEL
            one = await body()
            answers = await asyncio.gather(
                *(client.post("finish", json=one) for _ in range(PARALLEL))
            )
        await engine.dispose()
    assert Counter(answer.status_code for answer in answers) == {200: 1, 403: PARALLEL - 1}
    with psycopg.connect(postgres.url("oidc_parallel")) as connection:
        found = connection.execute(
            "select (select count(*) from users), (select count(*) from external_identities)"
        ).fetchone()
    assert found == (1, 1)
