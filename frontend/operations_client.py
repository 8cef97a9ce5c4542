"""Calls of the API that administrators make: accounts, the audit, jobs, health."""

from dataclasses import dataclass
from typing import Any, Final

from backend.accounts.schemas import (
    ApiTokenCreated,
    ApiTokenOut,
    HoldingOut,
    HoldingsOut,
    LinkOut,
    UserCreated,
    UserOut,
)
from backend.audit.schemas import AuditEventOut, AuditFilter
from backend.core.schemas import Page
from backend.operations.schemas import HealthOut, JobOut
from frontend.accounts_client import MOST_TOKENS, AccountsApi, NewToken

PAGE: Final = 200
MOST_PAGES: Final = 10


@dataclass(frozen=True)
class UserQuery:
    """Which accounts a list is about; what is None does not matter."""

    name_contains: str | None = None
    role: str | None = None
    kind: str | None = None
    state: str | None = None

    def parameters(self) -> dict[str, str]:
        """As query parameters, without those that do not matter."""
        return {name: value for name, value in vars(self).items() if value}


class OperationsApi(AccountsApi):
    """Operations on behalf of one signed-in administrator."""

    # Accounts

    def users(self, query: UserQuery | None = None) -> list[UserOut]:
        """The accounts by name, page by page, up to two thousand."""
        found: list[UserOut] = []
        parameters: dict[str, Any] = (query or UserQuery()).parameters()
        for _ in range(MOST_PAGES):
            page = self._get(Page[UserOut], "/users", limit=PAGE, sort="username", **parameters)
            found += page.items
            if page.next_cursor is None:
                break
            parameters["cursor"] = page.next_cursor
        return found

    def create_user(
        self,
        username: str,
        *,
        display_name: str,
        email: str | None,
        role: str,
        password: str | None,
    ) -> UserCreated:
        """Without a password it is an invitation; the server names each field that it refuses."""
        body = {
            "username": username,
            "display_name": display_name,
            "email": email,
            "role": role,
            "password": password,
        }
        return self._post(UserCreated, "/users", json=body)

    def update_user(self, user_id: int, **changes: Any) -> UserOut:
        """Changes what is given: display name, mail, role, disabled."""
        answer = self._send("PATCH", f"/users/{user_id}", json=changes)
        return UserOut.model_validate_json(answer.content)

    def holdings(self, user_id: int) -> list[HoldingOut]:
        """What would need an heir if the account were deleted."""
        return self._get(HoldingsOut, f"/users/{user_id}/holdings").items

    def delete_user(self, user_id: int, *, heir: str | None = None, trash: bool = False) -> None:
        """What only this account owns goes to the heir, or to the trash."""
        wanted = {"heir": heir} if heir else {"trash": "true"} if trash else {}
        self._send("DELETE", f"/users/{user_id}", params=wanted)

    def invite(self, user_id: int) -> LinkOut:
        """A new invitation link; older ones no longer count."""
        return self._post(LinkOut, f"/users/{user_id}/invitation")

    def withdraw_invitation(self, user_id: int) -> None:
        self._send("DELETE", f"/users/{user_id}/invitation")

    def reset_password(self, user_id: int) -> LinkOut:
        """A link for a new password; the old one and all sessions end at once."""
        return self._post(LinkOut, f"/users/{user_id}/password-reset")

    # Service accounts

    def create_service_account(self, username: str, *, display_name: str, role: str) -> UserOut:
        body = {"username": username, "display_name": display_name, "role": role}
        return self._post(UserOut, "/service-accounts", json=body)

    def service_tokens(self, user_id: int) -> list[ApiTokenOut]:
        path = f"/service-accounts/{user_id}/tokens"
        return self._get(Page[ApiTokenOut], path, limit=MOST_TOKENS).items

    def create_service_token(self, user_id: int, wanted: NewToken) -> ApiTokenCreated:
        """A new token with its text, which is shown this once."""
        path = f"/service-accounts/{user_id}/tokens"
        return self._post(ApiTokenCreated, path, json=wanted.body())

    def revoke_service_token(self, user_id: int, token_id: int) -> None:
        self._send("DELETE", f"/service-accounts/{user_id}/tokens/{token_id}")

    # The audit

    def audit(
        self, query: AuditFilter, *, limit: int, cursor: str | None = None
    ) -> Page[AuditEventOut]:
        """What everybody did, the newest first."""
        return self._events("/operations/audit", query, limit=limit, cursor=cursor)

    # Jobs and health

    def jobs(self, *, state: str | None, entrypoint: str | None, limit: int) -> list[JobOut]:
        wanted = {"state": state, "entrypoint": entrypoint, "limit": limit}
        parameters = {name: value for name, value in wanted.items() if value is not None}
        return self._get(Page[JobOut], "/operations/jobs", **parameters).items

    def retry_job(self, job_id: int) -> JobOut:
        return self._post(JobOut, f"/operations/jobs/{job_id}/retry")

    def cancel_job(self, job_id: int) -> None:
        self._send("POST", f"/operations/jobs/{job_id}/cancel")

    def health(self) -> HealthOut:
        return self._get(HealthOut, "/operations/health")
