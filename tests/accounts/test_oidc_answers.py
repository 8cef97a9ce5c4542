"""What a provider says counts only where signature, issuer, audience, age and nonce are right."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from backend.accounts.oidc_provider import AnswerRefused, Person, Provider, ProviderAway
from backend.settings import OidcSettings
from tests.accounts.openid_providers import (
    CLIENT_ID,
    LyingProvider,
    brought_back,
    lying_provider,
)

REDIRECT = "http://127.0.0.1:8501/goodfit/oidc/callback"


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    with lying_provider() as running:
        yield running


def _client(liar: LyingProvider, **settings: Any) -> Provider:
    chosen = OidcSettings(issuer=liar.issuer, client_id=CLIENT_ID, **settings)
    return Provider(chosen, issuer=liar.issuer, redirect_uri=REDIRECT)


async def _sign_in(
    provider: Provider, liar: LyingProvider, *, verifier: str | None = None
) -> Person:
    nonce, own = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    address = await provider.sign_in_address(state="s" * 43, nonce=nonce, verifier=own)
    code = brought_back(liar.sign_in(address))["code"]
    return await provider.person(code=code, verifier=verifier or own, nonce=nonce)


async def test_honest_answer_is_believed(liar: LyingProvider) -> None:
    liar.claims = {"email": "a@example.org", "email_verified": True, "groups": ["lab", 1, ""]}
    person = await _sign_in(_client(liar), liar)
    assert (person.issuer, person.subject) == (liar.issuer, "person-1")
    assert (person.email, person.email_verified) == ("a@example.org", True)
    assert person.groups == {"lab"}


async def test_client_secret_goes_in_the_form_where_the_provider_wants_it_there(
    liar: LyingProvider,
) -> None:
    liar.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert await _sign_in(_client(liar, client_secret=SecretStr("the secret")), liar)
    assert liar.forms[-1]["client_secret"] == "the secret"


@pytest.mark.parametrize("signing", ["none", "secret", "other key", "tampered"])
async def test_wrongly_signed_id_token_is_refused(liar: LyingProvider, signing: str) -> None:
    liar.signing = signing
    with pytest.raises(AnswerRefused):
        await _sign_in(_client(liar), liar)


NOW = time.time()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "of another flow"},
        {"nonce": None},
        {"exp": int(NOW) - 3_600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(NOW) - 3_600},
        {"iat": int(NOW) + 3_600},
        {"iat": None},
        {"iat": "now"},
        {"nbf": int(NOW) + 3_600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\u0000b"},
        {"sub": "x" * 256},
        {"at_hash": "wrong"},
    ],
)
async def test_id_token_with_a_wrong_claim_is_refused(
    liar: LyingProvider, claims: dict[str, Any]
) -> None:
    liar.claims = claims
    with pytest.raises(AnswerRefused):
        await _sign_in(_client(liar), liar)


async def test_clocks_may_differ_a_little(liar: LyingProvider) -> None:
    now = int(time.time())
    liar.claims = {"iat": now + 10, "exp": now - 10}
    assert (await _sign_in(_client(liar), liar)).subject == "person-1"


async def test_code_needs_the_verifier_of_its_flow(liar: LyingProvider) -> None:
    with pytest.raises(AnswerRefused):
        await _sign_in(_client(liar), liar, verifier="v" * 64)


async def test_new_keys_are_read_when_one_is_unknown_and_the_rest_is_kept(
    liar: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = _client(liar)
    await _sign_in(provider, liar)
    await _sign_in(provider, liar)
    assert (liar.asked.count("description"), liar.asked.count("keys")) == (1, 1)
    liar.rotate()
    # A minute passes, as far as reading the keys again goes.
    monkeypatch.setattr("backend.accounts.oidc_provider.KEYS_PAUSE_SECONDS", 0.0)
    await _sign_in(provider, liar)
    assert (liar.asked.count("description"), liar.asked.count("keys")) == (1, 2)


async def test_user_info_is_asked_only_for_what_is_missing(liar: LyingProvider) -> None:
    liar.user_info = {"sub": "person-1", "email": "a@example.org", "groups": ["lab"]}
    liar.claims = {"email": "token@example.org", "email_verified": True}
    assert (await _sign_in(_client(liar), liar)).email == "token@example.org"
    assert "userinfo" not in liar.asked
    person = await _sign_in(_client(liar, member_groups="lab"), liar)
    assert (person.email, person.groups) == ("token@example.org", frozenset({"lab"}))


@pytest.mark.parametrize(
    ("token", "user_info", "believed"),
    [
        # What the user info says of its own address says nothing of the token's.
        ({"email": "b@x.org"}, {"email": "a@x.org", "email_verified": True}, ("a@x.org", True)),
        ({"email": "b@x.org"}, {"email_verified": True}, ("b@x.org", False)),
        ({"email": "b@x.org"}, {"email": "a@x.org"}, ("b@x.org", False)),
        ({"email": "a@x.org"}, {"email": "a@x.org", "email_verified": True}, ("a@x.org", True)),
        ({"email_verified": True}, {"email": "a@x.org"}, ("a@x.org", False)),
        ({}, {}, (None, False)),
    ],
)
async def test_address_counts_as_verified_only_where_the_same_source_says_so(
    liar: LyingProvider,
    token: dict[str, Any],
    user_info: dict[str, Any],
    believed: tuple[str | None, bool],
) -> None:
    liar.claims = token
    liar.user_info = {"sub": "person-1", **user_info}
    person = await _sign_in(_client(liar), liar)
    assert (person.email, person.email_verified) == believed


@pytest.mark.parametrize("email", ["a\u0000@example.org", "a\u202e@example.org", 7, ["a@b.org"]])
async def test_address_that_cannot_be_one_is_left_out(liar: LyingProvider, email: Any) -> None:
    liar.claims = {"email": email, "email_verified": True}
    assert (await _sign_in(_client(liar), liar)).email is None


@pytest.mark.parametrize("user_info", [{"sub": "somebody-else"}, {}, ["a list"]])
async def test_user_info_about_somebody_else_is_refused(
    liar: LyingProvider, user_info: Any
) -> None:
    liar.user_info = user_info
    with pytest.raises(AnswerRefused):
        await _sign_in(_client(liar), liar)


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
    ],
)
async def test_description_of_another_provider_is_not_followed(
    liar: LyingProvider, description: dict[str, Any]
) -> None:
    liar.description = description
    with pytest.raises(ProviderAway):
        await _client(liar).sign_in_address(state="s", nonce="n", verifier="v" * 43)
    assert liar.asked == ["description"]


async def test_failing_provider_is_away(liar: LyingProvider) -> None:
    liar.token_status = 502
    with pytest.raises(ProviderAway):
        await _sign_in(_client(liar), liar)


@pytest.mark.parametrize(
    "issuer", ["http://provider.example", "ftp://127.0.0.1", "provider.example", "https://", "//x"]
)
def test_issuer_without_https_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(ValidationError, match="an issuer needs https"):
        OidcSettings(issuer=issuer, client_id=CLIENT_ID)
