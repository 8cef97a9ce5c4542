"""Calls of the API that administrators make: accounts, jobs, health."""

from typing import Final

from backend.accounts.schemas import UserOut
from backend.core.schemas import Page
from backend.operations.schemas import HealthOut, JobOut
from frontend.client import Api

PAGE: Final = 200
MOST_PAGES: Final = 10


class OperationsApi(Api):
    """Operations on behalf of one signed-in administrator."""

    def users(self) -> list[UserOut]:
        """All accounts, page by page, up to two thousand."""
        found: list[UserOut] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            parameters = {
                "limit": PAGE,
                "sort": "username",
                **({"cursor": cursor} if cursor else {}),
            }
            page = self._get(Page[UserOut], "/users", **parameters)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def create_user(self, username: str, *, email: str | None, role: str, password: str) -> UserOut:
        """The server checks, and names every field that it does not take."""
        body = {"username": username, "email": email, "role": role, "password": password}
        return self._post(UserOut, "/users", json=body)

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
