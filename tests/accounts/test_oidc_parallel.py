"""Sign-ins with a provider at the same moment, over connections of their own."""

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from backend.accounts.administration import remove_user
from backend.accounts.oidc_accounts import ProviderSignInRefused, find_or_make_account
from backend.accounts.user_repository import UserRepository
from backend.core.access import SYSTEM
from backend.core.db import create_engine, create_sessions, transaction
from backend.main import create_app
from backend.migrate import upgrade
from backend.settings import OidcSettings, Settings
from backend.stack.postgres import EmbeddedPostgres
from tests.accounts.oidc_people import OIDC, WAYS, person
from tests.accounts.openid_providers import CLIENT_ID, brought_back, mock_provider
from tests.conftest import make_settings

PARALLEL = 8
WAITING = "select 1 from pg_locks where not granted"


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


async def test_sign_in_during_the_deletion_of_its_account_is_refused_and_holds_nobody_up(
    make_database: Callable[[str], Settings],
) -> None:
    own = await asyncio.to_thread(make_database, "oidc_deletion")
    engine = create_engine(own.database)
    sessions = create_sessions(engine)

    async def sign_in() -> int:
        async with transaction(sessions) as session:
            user = await find_or_make_account(
                session, person("ada"), OIDC, ways=WAYS, address="10.0.0.1"
            )
            return user.id

    try:
        user_id = await sign_in()
        async with transaction(sessions) as session:
            user = await UserRepository(session, SYSTEM).get(user_id, for_update=True)
            again = asyncio.create_task(sign_in())
            async with sessions() as watching:
                # It waits for the account, or the time is up.
                for _ in range(500):
                    if (await watching.execute(text(WAITING))).first() is not None:
                        break
                    await asyncio.sleep(0.01)
            await remove_user(session, SYSTEM, user, own)
        with pytest.raises(ProviderSignInRefused) as refused:
            await again
        assert refused.value.problem_code == "oidc_account_closed"
    finally:
        await engine.dispose()
