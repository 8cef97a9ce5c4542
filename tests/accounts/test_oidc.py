"""Signing in with a real OpenID provider, step by step as the dashboard asks for it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.main import create_app
from backend.settings import OidcSettings, Settings
from backend.tables import AuditEvent, ExternalIdentity, OidcFlow, SignInSession, User
from tests.accounts.openid_providers import CLIENT_ID, MockProvider, brought_back, mock_provider

Sessions = async_sessionmaker[AsyncSession]
MakeUser = Callable[..., Awaitable[User]]
Connect = Callable[..., "Lab"]
Build = Callable[..., FastAPI]
MAIL = "ada@example.org"


class Lab:
    """The API with a provider, and the calls that the dashboard makes for one browser."""

    def __init__(self, client: httpx.AsyncClient, provider: MockProvider) -> None:
        self.client = client
        self.provider = provider

    async def start(self, wanted: str = "/") -> dict[str, Any]:
        answer = await self.client.post("/api/v1/internal/oidc/start", json={"next": wanted})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def finish(self, started: dict[str, Any], location: str) -> httpx.Response:
        back = brought_back(location)
        body = {
            "key": started["key"],
            **{k: v for k, v in back.items() if k != "error_description"},
        }
        return await self.client.post("/api/v1/internal/oidc/finish", json=body)

    async def sign_in(self, subject: str, wanted: str = "/") -> httpx.Response:
        started = await self.start(wanted)
        return await self.finish(started, self.provider.sign_in(started["address"], subject))

    async def whose(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        form = {"grant_type": "refresh_token", "refresh_token": answer.json()["session"]}
        token = (await self.client.post("/api/v1/auth/token", data=form)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return dict((await self.client.get("/api/v1/users/me", headers=headers)).json())


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with mock_provider() as running:
        yield running


@pytest.fixture(scope="module")
def build(settings: Settings, provider: MockProvider) -> Build:
    """The API with these settings of the provider; building one takes longer than a test."""

    @cache
    def make(**oidc: Any) -> FastAPI:
        chosen = OidcSettings(
            issuer=provider.issuer,
            client_id=CLIENT_ID,
            client_secret=SecretStr("of the client"),
            **oidc,
        )
        return create_app(settings.model_copy(update={"oidc": chosen}))

    return make


@pytest.fixture
async def connect(
    settings: Settings, sessions: Sessions, provider: MockProvider, build: Build
) -> AsyncIterator[Connect]:
    """The API as it is with these settings of the provider, over the test's own transaction."""
    clients: list[httpx.AsyncClient] = []

    def make(**oidc: Any) -> Lab:
        app = build(**oidc)
        app.state.sessions = app.state.read_sessions = sessions
        key = settings.secrets.service_key.get_secret_value()
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://test",
            headers={"X-Goodfit-Service-Key": key},
        )
        clients.append(client)
        return Lab(client, provider)

    yield make
    for client in clients:
        await client.aclose()


async def _events(sessions: Sessions, action: str) -> list[AuditEvent]:
    async with sessions() as session:
        statement = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
        return list((await session.execute(statement)).scalars())


async def _verify_mail(sessions: Sessions, user: User, email: str, **values: Any) -> None:
    async with sessions() as session:
        values |= {"email": email, "email_verified": True}
        await session.execute(update(User).where(User.id == user.id).values(**values))
        await session.commit()


def _is_refused(answer: httpx.Response, code: str) -> None:
    assert answer.status_code == (503 if code == "oidc_unavailable" else 403), answer.text
    assert answer.json()["code"] == code


async def test_newcomer_gets_an_account_and_the_page_that_was_asked_for(
    connect: Connect, sessions: Sessions, provider: MockProvider
) -> None:
    provider.know("s-1", email=MAIL, email_verified=True, preferred_username="ada", name="Ada L")
    lab = connect()
    answer = await lab.sign_in("s-1", "/fit?id=4")
    assert answer.json()["next"] == "/fit?id=4"
    assert answer.headers["cache-control"] == "no-store"
    me = await lab.whose(answer)
    assert (me["username"], me["email"], me["role"]) == ("ada", MAIL, "member")
    assert me["email_verified"] is True
    assert me["has_password"] is False
    assert me["display_name"] == "Ada L"
    opened = (await _events(sessions, "session.opened"))[-1]
    assert (opened.actor_name, opened.details) == ("ada", {"method": "oidc"})
    assert [event.object_name for event in await _events(sessions, "user.identity_linked")] == [
        "ada"
    ]
    assert (await lab.whose(await lab.sign_in("s-1")))["id"] == me["id"]


async def test_session_of_the_provider_ends_with_a_sign_out(
    connect: Connect, sessions: Sessions, provider: MockProvider
) -> None:
    provider.know("s-2", email=MAIL, email_verified=True)
    lab = connect()
    answer = await lab.sign_in("s-2")
    await lab.client.post("/api/v1/internal/logout", json={"token": answer.json()["session"]})
    form = {"grant_type": "refresh_token", "refresh_token": answer.json()["session"]}
    assert (await lab.client.post("/api/v1/auth/token", data=form)).status_code == 401
    async with sessions() as session:
        kept = (await session.execute(select(SignInSession.token_hash))).scalars().all()
    assert answer.json()["session"] not in kept


async def test_return_is_refused_the_second_time(connect: Connect, provider: MockProvider) -> None:
    provider.know("s-3", email=MAIL, email_verified=True)
    lab = connect()
    started = await lab.start()
    location = provider.sign_in(started["address"], "s-3")
    assert (await lab.finish(started, location)).status_code == 200
    _is_refused(await lab.finish(started, location), "oidc_expired")


async def test_code_is_refused_in_another_flow(connect: Connect, provider: MockProvider) -> None:
    provider.know("s-4", email=MAIL, email_verified=True)
    lab = connect()
    first, second = await lab.start(), await lab.start()
    code = brought_back(provider.sign_in(first["address"], "s-4"))["code"]
    assert (await lab.finish(first, f"?code={code}&state={first['state']}")).status_code == 200
    _is_refused(await lab.finish(second, f"?code={code}&state={second['state']}"), "oidc_refused")


async def test_code_of_another_flow_fails_by_its_nonce(
    connect: Connect, provider: MockProvider
) -> None:
    provider.know("s-5", email=MAIL, email_verified=True)
    lab = connect()
    first, second = await lab.start(), await lab.start()
    code = brought_back(provider.sign_in(first["address"], "s-5"))["code"]
    _is_refused(await lab.finish(second, f"?code={code}&state={second['state']}"), "oidc_refused")


@pytest.mark.parametrize("state", ["x" * 43, "é", "of-the-other"])
async def test_wrong_state_is_refused_and_noted(
    connect: Connect, sessions: Sessions, state: str
) -> None:
    lab = connect()
    started, other = await lab.start(), await lab.start()
    state = other["state"] if state == "of-the-other" else state
    body = {"key": started["key"], "state": state, "code": "c"}
    answer = await lab.client.post("/api/v1/internal/oidc/finish", json=body)
    _is_refused(answer, "oidc_expired")
    noted = (await _events(sessions, "session.refused"))[-1]
    assert noted.details == {"method": "oidc", "reason": "oidc_expired"}
    assert noted.outcome == "failed"


async def test_expired_flow_is_refused(
    connect: Connect, sessions: Sessions, provider: MockProvider
) -> None:
    provider.know("s-6", email=MAIL, email_verified=True)
    lab = connect()
    started = await lab.start()
    location = provider.sign_in(started["address"], "s-6")
    async with sessions() as session:
        past = OidcFlow.expires_at - timedelta(minutes=11)
        await session.execute(update(OidcFlow).values(expires_at=past))
        await session.commit()
    _is_refused(await lab.finish(started, location), "oidc_expired")


async def test_flow_keeps_no_secret_of_the_browser(connect: Connect, sessions: Sessions) -> None:
    started = await connect().start()
    async with sessions() as session:
        flow = (await session.execute(select(OidcFlow))).scalar_one()
    stored = {str(getattr(flow, column.key)) for column in OidcFlow.__table__.columns}
    assert not stored & {started["key"], started["state"]}
    assert started["key"] not in started["address"]


async def test_cancelled_sign_in_is_told_apart(connect: Connect, provider: MockProvider) -> None:
    lab = connect()
    started = await lab.start()
    location = provider.refuse(started["address"]) + f"&state={started['state']}"
    _is_refused(await lab.finish(started, location), "oidc_cancelled")


async def test_provider_that_is_away_is_a_503_and_leaves_nothing(
    settings: Settings, sessions: Sessions
) -> None:
    chosen = OidcSettings(issuer="http://127.0.0.1:9", client_id=CLIENT_ID)
    app = create_app(settings.model_copy(update={"oidc": chosen}))
    app.state.sessions = sessions
    key = settings.secrets.service_key.get_secret_value()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = {"X-Goodfit-Service-Key": key}
        answer = await client.post("/api/v1/internal/oidc/start", json={}, headers=headers)
    _is_refused(answer, "oidc_unavailable")
    async with sessions() as session:
        assert (await session.execute(select(OidcFlow))).first() is None


async def test_verified_mail_links_the_account_that_is_there(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    ada = await make_user("countess")
    await _verify_mail(sessions, ada, "Ada@Example.org")
    provider.know("s-7", email=MAIL, email_verified=True, preferred_username="ada")
    lab = connect(create_accounts=False)
    me = await lab.whose(await lab.sign_in("s-7"))
    assert (me["id"], me["username"]) == (ada.id, "countess")
    linked = (await _events(sessions, "user.identity_linked"))[-1]
    assert linked.object_id == ada.id
    # From now on the identity counts, whatever the mail says.
    provider.know("s-7", email="other@example.org", email_verified=True)
    assert (await lab.whose(await lab.sign_in("s-7")))["id"] == ada.id


@pytest.mark.parametrize("verified", [False, "false", None])
async def test_unverified_mail_links_nothing(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser, verified: Any
) -> None:
    await _verify_mail(sessions, await make_user("countess"), MAIL)
    provider.know("s-8", email=MAIL, email_verified=verified)
    _is_refused(await connect().sign_in("s-8"), "oidc_mail_not_verified")
    async with sessions() as session:
        assert (await session.execute(select(ExternalIdentity))).first() is None


async def test_mail_that_somebody_only_claims_here_is_not_linked(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    thief = await make_user("thief")
    async with sessions() as session:
        await session.execute(update(User).where(User.id == thief.id).values(email=MAIL))
        await session.commit()
    provider.know("s-9", email=MAIL, email_verified=True, preferred_username="thief")
    lab = connect()
    me = await lab.whose(await lab.sign_in("s-9"))
    assert me["id"] != thief.id
    assert me["username"] == "thief-2"


async def test_stranger_is_refused_where_accounts_are_not_made(
    connect: Connect, provider: MockProvider
) -> None:
    provider.know("s-10", email=MAIL, email_verified=True)
    _is_refused(await connect(create_accounts=False).sign_in("s-10"), "oidc_no_account")


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_closed_account_is_refused(
    connect: Connect, sessions: Sessions, provider: MockProvider, column: str
) -> None:
    provider.know("s-11", email=MAIL, email_verified=True, preferred_username="closed")
    lab = connect()
    me = await lab.whose(await lab.sign_in("s-11"))
    async with sessions() as session:
        closed = {column: User.created_at}
        await session.execute(update(User).where(User.id == me["id"]).values(closed))
        await session.commit()
    _is_refused(await lab.sign_in("s-11"), "oidc_account_closed")
    assert (await _events(sessions, "session.refused"))[-1].actor_name == "closed"


async def test_service_account_is_never_linked(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    robot = await make_user("robot")
    await _verify_mail(sessions, robot, MAIL, kind="service")
    provider.know("s-12", email=MAIL, email_verified=True)
    _is_refused(await connect().sign_in("s-12"), "oidc_account_closed")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "Zoë Smith"}, "Zoë-Smith"),
        ({"preferred_username": "goodfit-service"}, "goodfit-service-2"),
        ({"preferred_username": "  \x00\n"}, "lovelace"),
        ({"preferred_username": "../../etc"}, "etc"),
        ({"preferred_username": "x" * 300}, "x" * 56),
        ({"preferred_username": ["list"]}, "lovelace"),
    ],
)
async def test_user_name_is_made_valid(
    connect: Connect, provider: MockProvider, claims: dict[str, Any], name: str
) -> None:
    provider.know("s-13", email="lovelace@example.org", email_verified=True, **claims)
    lab = connect()
    assert (await lab.whose(await lab.sign_in("s-13")))["username"] == name


async def test_internal_routes_need_the_service_key_and_a_provider(
    anonymous: httpx.AsyncClient, settings: Settings
) -> None:
    for step, body in (("start", {}), ("finish", {"key": "k", "state": "s", "code": "c"})):
        path = f"/api/v1/internal/oidc/{step}"
        assert (await anonymous.post(path, json=body)).status_code == 401
        key = settings.secrets.service_key.get_secret_value()
        headers = {"X-Goodfit-Service-Key": key}
        assert (await anonymous.post(path, json=body, headers=headers)).status_code == 404


async def test_groups_give_the_role_at_each_sign_in(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    await make_user("root", Role.ADMIN)
    lab = connect(admin_groups="chiefs, owners", member_groups="lab", viewer_groups="guests")
    for groups, role in (
        (["guests", "lab"], "member"),
        (["owners", "guests"], "admin"),
        ("guests", "viewer"),
        ([], "member"),
        ({"lab": 1}, "member"),
    ):
        provider.know("s-14", email=MAIL, email_verified=True, groups=groups)
        assert (await lab.whose(await lab.sign_in("s-14")))["role"] == role
    changes = [event.details for event in await _events(sessions, "user.role_changed")]
    assert changes == [
        {"from": "member", "to": "admin", "by": "groups"},
        {"from": "admin", "to": "viewer", "by": "groups"},
        {"from": "viewer", "to": "member", "by": "groups"},
    ]


async def test_person_in_no_group_is_refused_where_the_default_is_none(
    connect: Connect, provider: MockProvider
) -> None:
    lab = connect(member_groups="lab", default_role="none")
    provider.know("s-15", email=MAIL, email_verified=True, groups=["lab"])
    assert (await lab.sign_in("s-15")).status_code == 200
    provider.know("s-15", email=MAIL, email_verified=True, groups=["others"])
    _is_refused(await lab.sign_in("s-15"), "oidc_role_refused")


async def test_without_a_mapping_the_role_stays_as_administrators_set_it(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    await _verify_mail(sessions, await make_user("countess", Role.VIEWER), MAIL)
    provider.know("s-16", email=MAIL, email_verified=True)
    lab = connect(default_role="none")
    assert (await lab.whose(await lab.sign_in("s-16")))["role"] == "viewer"


async def test_last_administrator_stays_one_whatever_the_groups_say(
    connect: Connect, sessions: Sessions, provider: MockProvider, make_user: MakeUser
) -> None:
    await _verify_mail(sessions, await make_user("root", Role.ADMIN), MAIL)
    provider.know("s-17", email=MAIL, email_verified=True, groups=["lab"])
    lab = connect(admin_groups="chiefs", member_groups="lab")
    assert (await lab.whose(await lab.sign_in("s-17")))["role"] == "admin"
    noted = (await _events(sessions, "user.role_changed"))[-1]
    assert (noted.outcome, noted.details["reason"]) == ("denied", "last_admin")
