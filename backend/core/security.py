"""Passwords, access tokens and opaque tokens, each pinned to one algorithm."""

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from jose import JWTError, jwt
from passlib.context import CryptContext

ALGORITHM: Final = "HS256"
ISSUER: Final = "goodfit"
AUDIENCE: Final = "goodfit-api"
LEEWAY_SECONDS: Final = 10
MAXIMUM_JWT_LENGTH: Final = 2_000
# Of a column; a larger number would be an error of the database.
LARGEST_ID: Final = 2**63 - 1

REFRESH_PREFIX: Final = "gr_"
BROWSER_PREFIX: Final = "gb_"
TICKET_PREFIX: Final = "gt_"
LINK_PREFIX: Final = "gl_"
DOWNLOAD_PREFIX: Final = "gd_"
PERSONAL_PREFIX: Final = "gf_"
# What a list shows of a personal token: the prefix and five letters of 43.
HINT_LENGTH: Final = 8

_SMALL_LETTERS: Final = str.maketrans(ascii_uppercase, ascii_lowercase)

_passwords = CryptContext(schemes=["argon2"], deprecated="auto")

_REQUIRED_CLAIMS: Final[Mapping[str, bool | int]] = {
    "require_aud": True,
    "require_exp": True,
    "require_iat": True,
    "require_iss": True,
    "require_jti": True,
    "require_sub": True,
    "leeway": LEEWAY_SECONDS,
}


def name_key(name: str) -> str:
    """The form under which look-alike names are equal."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def mail_key(email: str) -> str:
    """The form under which mail addresses are one, as their index has it.

    Only ASCII letters lose their case: a mailbox whose name has another letter, as the Kelvin
    sign for a k, is another person's.
    """
    return email.translate(_SMALL_LETTERS)


def hash_password(password: str) -> str:
    """Argon2id with the library's parameters."""
    hashed: str = _passwords.hash(password)
    return hashed


@cache
def _dummy_hash() -> str:
    """Verified against when the account is unknown, so that both answers take equally long."""
    return hash_password(secrets.token_urlsafe(16))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password fits; takes as long for an account without one."""
    matches: bool = _passwords.verify(password, password_hash or _dummy_hash())
    return matches and password_hash is not None


def new_token(prefix: str) -> str:
    """An opaque token of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of an opaque token: it is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says; the session decides whether it still holds."""

    user_id: int
    session_id: int


def encode_access_token(claims: AccessClaims, *, key: str, lifetime: timedelta) -> str:
    """A signed JWT for one session."""
    now = datetime.now(UTC)
    payload: dict[str, Any] = {
        "sub": str(claims.user_id),
        "sid": str(claims.session_id),
        "jti": secrets.token_hex(8),
        "typ": "access",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
    }
    token: str = jwt.encode(payload, key, algorithm=ALGORITHM)
    return token


def decode_access_token(token: str, *, keys: Sequence[str]) -> AccessClaims | None:
    """The claims of a valid access token, else None; the only place where a JWT is decoded.

    `keys` are the present key and those before it, whose tokens still count.
    """
    if len(token) > MAXIMUM_JWT_LENGTH:
        return None
    try:
        header = jwt.get_unverified_header(token)
    except (JWTError, RecursionError):
        return None
    # Nothing in a header chooses a key or an algorithm: no kid, jku, x5u, jwk, crit, enc.
    if set(header) - {"alg", "typ"} or header.get("alg") != ALGORITHM:
        return None
    found = (_decode(token, key) for key in keys)
    return next((claims for claims in found if claims is not None), None)


def _decode(token: str, key: str) -> AccessClaims | None:
    if not key:
        return None
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options=dict(_REQUIRED_CLAIMS),
        )
        if claims.get("typ") != "access" or not claims["jti"]:
            return None
        found = AccessClaims(user_id=int(claims["sub"]), session_id=int(claims["sid"]))
    except (JWTError, KeyError, TypeError, ValueError, RecursionError):
        return None
    in_range = 0 < found.user_id <= LARGEST_ID and 0 < found.session_id <= LARGEST_ID
    return found if in_range else None
