"""Calls of the API about leaderboards: several estimators on the same rows."""

from backend.core.schemas import Page
from backend.fits.leaderboard_schemas import (
    LeaderboardCreate,
    LeaderboardDetail,
    LeaderboardOut,
)
from frontend.client import Api


class LeaderboardsApi(Api):
    """Leaderboards on behalf of one signed-in user."""

    def create_leaderboard(self, wanted: LeaderboardCreate, *, key: str) -> LeaderboardOut:
        """`key` makes a repeated call the same one."""
        body = wanted.model_dump(mode="json", exclude_none=True)
        headers = {"Idempotency-Key": key}
        answer = self._send("POST", "/leaderboards", json=body, headers=headers)
        return LeaderboardOut.model_validate(
            {name: value for name, value in answer.json().items() if name != "fits"}
        )

    def leaderboards(
        self, *, project_id: int | None = None, limit: int = 100
    ) -> list[LeaderboardOut]:
        """The newest first."""
        wanted = {} if project_id is None else {"project_id": project_id}
        return self._get(Page[LeaderboardOut], "/leaderboards", limit=limit, **wanted).items

    def leaderboard(self, number: int) -> LeaderboardDetail:
        return self._get(LeaderboardDetail, f"/leaderboards/{number}")

    def cancel_leaderboard(self, number: int) -> None:
        self._send("POST", f"/leaderboards/{number}/cancel")

    def delete_leaderboard(self, number: int) -> None:
        """Its fits stay."""
        self._send("DELETE", f"/leaderboards/{number}")
