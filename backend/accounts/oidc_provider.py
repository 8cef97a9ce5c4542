"""An OpenID provider: its description, the way to it, and what it says of a person, checked.

authlib and joserfc know the protocol; httpx carries it.
"""

import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ValidationError

from backend.settings import OidcSettings, is_confidential

# At the dashboard's address, where the provider sends the browser back to.
CALLBACK_PATH: Final = "/goodfit/oidc/callback"
DESCRIPTION_PATH: Final = "/.well-known/openid-configuration"
# Asymmetric ones only: with the others the client's secret could sign what it likes.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
)
KEY_TYPES: Final = frozenset({"RSA", "EC"})
LEEWAY_SECONDS: Final = 30
OLDEST_SECONDS: Final = 600
DESCRIPTION_SECONDS: Final = 3_600.0
# A key that nobody knows must not become a request each time it is shown.
KEYS_PAUSE_SECONDS: Final = 10.0
LONGEST_SUBJECT: Final = 255
_MAIL: Final = frozenset({"email", "email_verified"})
TIMEOUT: Final = httpx.Timeout(8.0, connect=3.0)


class ProviderAway(Exception):
    """The provider does not answer, or fails."""


class AnswerRefused(Exception):
    """The provider refused, or said something that cannot be believed."""


class Description(BaseModel):
    """What the provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]

    @property
    def algorithms(self) -> list[str]:
        return sorted(ALGORITHMS.intersection(self.id_token_signing_alg_values_supported))


class _Granted(BaseModel):
    """The token endpoint's answer; what else stands in it is not used."""

    id_token: str
    access_token: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider has signed in.

    Attributes
    ----------
    groups
        The texts of the groups claim; empty where the provider names none.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    preferred_name: str
    display_name: str
    groups: frozenset[str]


class Provider:
    """One provider, as the settings name it; its description and keys are kept."""

    def __init__(self, settings: OidcSettings, *, issuer: str, redirect_uri: str) -> None:
        self._settings = settings
        self._issuer = issuer.rstrip("/")
        self._redirect_uri = redirect_uri
        # To read the list of authorities takes longer than the rest of a sign-in.
        self._tls = httpx.create_ssl_context()
        self._described: tuple[Description, float] | None = None
        self._keys: tuple[KeySet, float] | None = None

    async def sign_in_address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent to sign in."""
        description = await self._description()
        address: str = prepare_grant_uri(
            description.authorization_endpoint,
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=self._settings.scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return address

    async def person(self, *, code: str, verifier: str, nonce: str) -> Person:
        """Swap the code for the person's claims.

        Raises
        ------
        ProviderAway
            No answer, or a failure of the provider.
        AnswerRefused
            The code was not accepted, or the ID token is not good.
        """
        description = await self._description()
        granted = await self._exchange(description, code=code, verifier=verifier)
        claims = await self._checked(description, granted, nonce=nonce)
        if description.userinfo_endpoint and self._misses_something(claims):
            claims = _merged(claims, await self._user_info(description, granted, claims["sub"]))
        return self._person(description, claims)

    async def _exchange(self, description: Description, *, code: str, verifier: str) -> _Granted:
        client_id, secret = self._settings.client_id or "", self._settings.client_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        basic = None
        if secret is None:
            form["client_id"] = client_id
        elif "client_secret_basic" in description.token_endpoint_auth_methods_supported:
            basic = httpx.BasicAuth(
                quote(client_id, safe=""), quote(secret.get_secret_value(), safe="")
            )
        else:
            form |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
        answer = await self._ask("POST", description.token_endpoint, data=form, auth=basic)
        try:
            return _Granted.model_validate_json(answer.content)
        except ValidationError:
            raise AnswerRefused("the token endpoint gave no ID token") from None

    async def _checked(
        self, description: Description, granted: _Granted, *, nonce: str
    ) -> dict[str, Any]:
        """The claims of the ID token, if it is the one that was asked for."""
        try:
            token = await self._verified(description, granted.id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": description.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._settings.client_id,
                    "access_token": granted.access_token,
                },
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            # Its text names the claim, never its value.
            raise AnswerRefused(f"the ID token is not good: {type(error).__name__}") from error
        age = time.time() - claims["iat"]
        if not -LEEWAY_SECONDS <= age <= OLDEST_SECONDS:
            raise AnswerRefused("the ID token is too old, or from the future")
        if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT or not claims["sub"].isprintable():
            raise AnswerRefused("the ID token names nobody")
        return dict(claims)

    async def _verified(self, description: Description, id_token: str) -> jwt.Token:
        keys = await self._key_set(description)
        try:
            return jwt.decode(id_token, keys, algorithms=description.algorithms)
        except InvalidKeyIdError:
            # The provider may have changed its keys since they were read.
            keys = await self._key_set(description, fresh=True)
            return jwt.decode(id_token, keys, algorithms=description.algorithms)

    def _misses_something(self, claims: dict[str, Any]) -> bool:
        asked = _MAIL | ({self._settings.groups_claim} if self._settings.maps_groups else set())
        return not asked <= claims.keys()

    async def _user_info(
        self, description: Description, granted: _Granted, subject: str
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {granted.access_token}"}
        answer = await self._ask("GET", description.userinfo_endpoint or "", headers=headers)
        found = _json_object(answer)
        if found.get("sub") != subject:
            raise AnswerRefused("the user info is about somebody else")
        return found

    def _person(self, description: Description, claims: dict[str, Any]) -> Person:
        groups = claims.get(self._settings.groups_claim)
        listed = [groups] if isinstance(groups, str) else groups
        email = claims.get("email")
        return Person(
            issuer=description.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) and email.isprintable() else None,
            # Some providers write the truth as a text.
            email_verified=claims.get("email_verified") in (True, "true"),
            preferred_name=_text(claims.get("preferred_username")),
            display_name=_text(claims.get("name")),
            groups=frozenset(
                group for group in (listed if isinstance(listed, list) else ()) if _text(group)
            ),
        )

    async def _description(self) -> Description:
        if self._described is not None and time.monotonic() < self._described[1]:
            return self._described[0]
        answer = await self._ask("GET", self._issuer + DESCRIPTION_PATH)
        try:
            found = Description.model_validate_json(answer.content)
        except ValidationError:
            raise ProviderAway("the provider does not describe itself") from None
        endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        addresses = [address for address in (*endpoints, found.userinfo_endpoint) if address]
        if found.issuer.rstrip("/") != self._issuer or not all(map(is_confidential, addresses)):
            raise ProviderAway("the provider's description is not about this issuer, or not HTTPS")
        self._described = found, time.monotonic() + DESCRIPTION_SECONDS
        return found

    async def _key_set(self, description: Description, *, fresh: bool = False) -> KeySet:
        now = time.monotonic()
        if self._keys is not None:
            age = now - self._keys[1]
            if age < (KEYS_PAUSE_SECONDS if fresh else DESCRIPTION_SECONDS):
                return self._keys[0]
        found = _json_object(await self._ask("GET", description.jwks_uri)).get("keys")
        listed = found if isinstance(found, list) else []
        usable = [key for key in listed if isinstance(key, dict) and key.get("kty") in KEY_TYPES]
        try:
            keys = KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, TypeError, KeyError):
            raise ProviderAway("the provider's keys cannot be read") from None
        self._keys = keys, now
        return keys

    async def _ask(self, method: str, url: str, **options: Any) -> httpx.Response:
        """An answer below 400; what the environment says of proxies is not for the own machine."""
        trusts = self._issuer.startswith("https://")
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT, trust_env=trusts, verify=self._tls
            ) as client:
                answer = await client.request(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderAway(f"the provider does not answer: {type(error).__name__}") from error
        if answer.is_server_error:
            raise ProviderAway(f"the provider answers {answer.status_code}")
        if not answer.is_success:
            raise AnswerRefused(f"the provider answers {answer.status_code}")
        return answer


def _merged(claims: dict[str, Any], user_info: dict[str, Any]) -> dict[str, Any]:
    """The ID token's claims, completed; an address and whether it is verified have one source."""
    knows_more = user_info.keys() >= _MAIL or "email" not in claims
    source = user_info if knows_more and not claims.keys() >= _MAIL else claims
    return {**user_info, **claims, **{name: source.get(name) for name in _MAIL}}


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AnswerRefused("the provider's answer is no JSON object")
    return found


def _text(value: object) -> str:
    """A claim that may be anything, as one printable line."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()
