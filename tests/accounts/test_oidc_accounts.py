"""Whose account a person gets, told the provider's word; the tries of people who want another's."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
import pytest
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.accounts.oidc_accounts import ProviderSignInRefused, find_or_make_account
from backend.accounts.oidc_provider import Person
from backend.accounts.user_repository import UserRepository, WaysIn
from backend.core.access import SYSTEM, Role
from backend.core.audit import Action
from backend.core.db import transaction
from backend.core.security import mail_key
from backend.settings import OidcSettings
from backend.tables import ExternalIdentity, User
from tests.accounts.accounts import USERS, create, deeds
from tests.accounts.oidc_people import ISSUER, OIDC, WAYS, person

Sessions = async_sessionmaker[AsyncSession]
MakeUser = Callable[..., Awaitable[User]]
SignIn = Callable[..., Awaitable[httpx.AsyncClient]]
MAIL = "mike@example.org"
# The Kelvin sign, whose small letter is the k of everybody.
LOOK_ALIKE = "mi\u212ae@example.org"


async def _account(sessions: Sessions, who: Person, oidc: OidcSettings = OIDC) -> User:
    async with transaction(sessions) as session:
        return await find_or_make_account(session, who, oidc, ways=WAYS, address="10.0.0.1")


async def _refusal(sessions: Sessions, who: Person) -> str:
    with pytest.raises(ProviderSignInRefused) as refused:
        await _account(sessions, who)
    return refused.value.problem_code


async def _identities(sessions: Sessions, user: User) -> list[str]:
    async with sessions() as session:
        statement = select(ExternalIdentity.subject).where(ExternalIdentity.user_id == user.id)
        return sorted((await session.execute(statement)).scalars())


@pytest.fixture
async def admin(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("root", Role.ADMIN)


async def test_person_who_gets_a_used_address_does_not_get_the_account(
    sessions: Sessions, admin: httpx.AsyncClient
) -> None:
    made = await create(admin, "mike", email=MAIL)
    mike = await _account(sessions, person("first", MAIL))
    assert mike.id == made["id"]
    assert await _refusal(sessions, person("second", "Mike@Example.org")) == "oidc_account_taken"
    assert await _identities(sessions, mike) == ["first"]
    # Who was there first still gets in; the address is given on by an administrator.
    assert (await _account(sessions, person("first", MAIL))).id == mike.id
    await admin.patch(f"{USERS}/{mike.id}", json={"email": None})
    other = await _account(sessions, person("second", MAIL))
    assert other.id != mike.id
    assert (other.email, other.email_verified) == (MAIL, True)


async def test_account_made_by_the_provider_is_not_linked_to_the_next_with_its_address(
    sessions: Sessions,
) -> None:
    first = await _account(sessions, person("first", MAIL))
    assert await _refusal(sessions, person("second", MAIL)) == "oidc_account_taken"
    assert await _identities(sessions, first) == ["first"]


async def test_address_links_the_account_to_another_provider(sessions: Sessions) -> None:
    first = await _account(sessions, person("first", MAIL))
    moved = person("m-1", MAIL, issuer="https://other.example")
    assert (await _account(sessions, moved)).id == first.id


async def test_look_alike_address_is_another_persons(
    sessions: Sessions, admin: httpx.AsyncClient
) -> None:
    mike = await create(admin, "mike", email=MAIL)
    other = await _account(sessions, person("look-alike", LOOK_ALIKE))
    assert other.id != mike["id"]
    assert (other.email, other.email_verified) == (LOOK_ALIKE, True)
    capital = await _account(sessions, person("mike", "MIKE@example.ORG"))
    assert capital.id == mike["id"]


async def test_own_address_changed_to_a_look_alike_is_not_verified(
    sign_in: SignIn, admin: httpx.AsyncClient
) -> None:
    mike = await sign_in("mike")
    own = (await mike.get(f"{USERS}/me")).json()
    await admin.patch(f"{USERS}/{own['id']}", json={"email": MAIL})
    changed = await mike.patch(f"{USERS}/me", json={"email": LOOK_ALIKE})
    assert changed.json()["email_verified"] is False


@pytest.mark.parametrize("email", ["ADA@X.ORG", "\u00c4da@x.org", LOOK_ALIKE, "\u0130da@x.org"])
async def test_database_and_code_fold_addresses_alike(sessions: Sessions, email: str) -> None:
    index = next(
        i for i in User.metadata.tables["users"].indexes if i.name == "uq_users_verified_email"
    )
    async with sessions() as session:
        session.add(User(username="ada", username_key="ada", role="member", email=email))
        await session.flush()
        folded = select(cast(ColumnElement[str], index.expressions[0])).select_from(User)
        assert await session.scalar(folded) == mail_key(email)


@pytest.mark.parametrize("email", ["a\ud800@example.org", "a\u0000@x.org", "nobody", ""])
async def test_text_that_is_no_address_is_left_out(sessions: Sessions, email: str) -> None:
    made = await _account(sessions, person("odd", email, preferred_name="ada"))
    assert (made.username, made.email, made.email_verified) == ("ada", None, False)


@pytest.mark.parametrize("name", ["admin", "Support", "ROOT", "\uff41dmin"])
async def test_nobody_comes_by_a_name_that_impresses(sessions: Sessions, name: str) -> None:
    made = await _account(sessions, person("s", None, preferred_name=name))
    assert made.username.casefold() in {"admin-2", "support-2", "root-2"}


async def test_role_by_groups_is_noted_as_no_deed_of_the_person(
    sessions: Sessions, make_user: MakeUser
) -> None:
    await make_user("root", Role.ADMIN)
    oidc = OidcSettings(issuer=ISSUER, client_id="c", admin_groups="chiefs", member_groups="lab")
    for group in ("lab", "chiefs"):
        await _account(sessions, person("ada", groups=frozenset({group})), oidc)
    (noted,) = await deeds(sessions, Action.ROLE_CHANGED)
    assert (noted.actor_id, noted.actor_name, noted.address) == (None, "system", "10.0.0.1")
    assert noted.details == {"from": "member", "to": "admin", "by": "groups"}


@pytest.mark.parametrize(
    ("issuer", "counts"), [(ISSUER, True), (f"{ISSUER}/", True), ("https://other.example", False)]
)
async def test_administrator_of_the_present_provider_counts(
    sessions: Sessions, issuer: str, counts: bool
) -> None:
    oidc = OidcSettings(issuer=ISSUER, client_id="c", admin_groups="chiefs")
    chief = await _account(sessions, person("ada", groups=frozenset({"chiefs"})), oidc)
    async with sessions() as session:
        accounts = UserRepository(session, SYSTEM)
        ways = WaysIn(by_password=True, issuer=issuer)
        assert await accounts.someone_can_administer(ways) is counts
        assert await accounts.can_administer(chief.id, ways) is counts


async def test_sign_in_notes_when_the_identity_was_used(sessions: Sessions) -> None:
    user = await _account(sessions, person("ada"))
    async with transaction(sessions) as session:
        identity = (await session.execute(select(ExternalIdentity))).scalar_one()
        identity.last_used_at = identity.created_at.replace(year=2020)
    assert (await _account(sessions, person("ada"))).id == user.id
    async with sessions() as session:
        is_new = ExternalIdentity.last_used_at == func.now()
        assert await session.scalar(select(is_new)) is True
