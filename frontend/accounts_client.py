"""Calls about one's own account, and the ways in that need no account yet."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from backend.accounts.schemas import (
    ApiTokenCreated,
    ApiTokenOut,
    LinkInfo,
    Registration,
    SignInOptions,
    TokenOut,
    UserOut,
)
from backend.audit.schemas import AuditEventOut, AuditFilter
from backend.core.schemas import Page
from frontend.client import Api, Tokens, send

MOST_TOKENS: Final = 200


def sign_in_options(pool: httpx.Client) -> SignInOptions:
    """Which ways in there are."""
    return SignInOptions.model_validate_json(send(pool, "GET", "/auth/options").content)


def register(pool: httpx.Client, wanted: Mapping[str, Any], *, origin: Mapping[str, str]) -> None:
    """An account that somebody makes for themselves; `wanted` has the fields of `Registration`.

    The server checks, so that it is the one to say what is wrong with which field.
    """
    body = {name: wanted[name] for name in Registration.model_fields}
    send(pool, "POST", "/auth/register", json=body, headers=origin)


def check_link(pool: httpx.Client, token: str, *, origin: Mapping[str, str]) -> LinkInfo:
    """Whom a one-time link is for; raises `SignedOut` where it is spent or expired."""
    answer = send(pool, "POST", "/auth/links/check", json={"token": token}, headers=origin)
    return LinkInfo.model_validate_json(answer.content)


def set_password_by_link(
    pool: httpx.Client, token: str, password: str, *, origin: Mapping[str, str]
) -> Tokens:
    """Sets the password and signs in; raises `SignedOut` where the link is spent or expired."""
    body = {"token": token, "new_password": password}
    answer = send(pool, "POST", "/auth/password", json=body, headers=origin)
    return Tokens.from_answer(TokenOut.model_validate_json(answer.content))


def audit_parameters(query: AuditFilter) -> dict[str, str]:
    """As query parameters, without those that do not matter."""
    given = {name: value for name, value in asdict(query).items() if value is not None}
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in given.items()
    }


@dataclass(frozen=True)
class NewToken:
    """The token that somebody wishes; the server checks."""

    name: str
    scope: str
    project_id: int | None = None
    expires_at: datetime | None = None
    """None: never."""

    def body(self) -> dict[str, Any]:
        """As JSON."""
        ends = self.expires_at.isoformat() if self.expires_at else None
        return {**vars(self), "expires_at": ends}


class AccountsApi(Api):
    """What people do with their own account."""

    def update_me(self, *, display_name: str, email: str | None) -> UserOut:
        body = {"display_name": display_name, "email": email}
        return UserOut.model_validate_json(self._send("PATCH", "/users/me", json=body).content)

    def sign_out_everywhere(self) -> None:
        """Ends all sessions, this one too; API tokens go on."""
        self._send("DELETE", "/users/me/sessions")

    def history(
        self, query: AuditFilter, *, limit: int, cursor: str | None = None
    ) -> Page[AuditEventOut]:
        """What one did, and what was done to one's account."""
        return self._events("/users/me/history", query, limit=limit, cursor=cursor)

    def _events(
        self, path: str, query: AuditFilter, *, limit: int, cursor: str | None
    ) -> Page[AuditEventOut]:
        place = {"cursor": cursor} if cursor else {}
        return self._get(Page[AuditEventOut], path, **audit_parameters(query), **place, limit=limit)

    def tokens(self) -> list[ApiTokenOut]:
        return self._get(Page[ApiTokenOut], "/tokens", limit=MOST_TOKENS).items

    def create_token(self, wanted: NewToken) -> ApiTokenCreated:
        """A new token with its text, which is shown this once."""
        return self._post(ApiTokenCreated, "/tokens", json=wanted.body())

    def revoke_token(self, token_id: int) -> None:
        self._send("DELETE", f"/tokens/{token_id}")
