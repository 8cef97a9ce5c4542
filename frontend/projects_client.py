"""Calls of the API about projects: who is in them, and what is moved between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from backend.core.schemas import Page
from backend.projects.schemas import MemberList, MemberOut, ProjectOut
from frontend.client import Api

PAGE: Final = 200
MOST_PAGES: Final = 10
ProjectRoleName = Literal["owner", "editor", "viewer"]
ObjectKind = Literal["dataset", "fit", "model"]


@dataclass(frozen=True)
class ProjectQuery:
    """Which projects a list is about."""

    name_contains: str = ""
    archived: bool | None = None
    mine: bool = False
    sort: str = "name"

    def parameters(self) -> dict[str, str]:
        """As query parameters, without those that are not set."""
        wanted = {
            "name_contains": self.name_contains or None,
            "archived": None if self.archived is None else str(self.archived).lower(),
            "mine": "true" if self.mine else None,
            "sort": self.sort,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class ProjectsApi(Api):
    """Projects on behalf of one signed-in user."""

    def find_projects(self, query: ProjectQuery) -> list[ProjectOut]:
        """All that match, page by page, up to two thousand."""
        found: list[ProjectOut] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            parameters = {
                **query.parameters(),
                "limit": PAGE,
                **({"cursor": cursor} if cursor else {}),
            }
            page = self._get(Page[ProjectOut], "/projects", **parameters)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def project(self, project_id: int) -> ProjectOut:
        return self._get(ProjectOut, f"/projects/{project_id}")

    def create_project(self, name: str, description: str = "", *, key: str) -> ProjectOut:
        """A new shared project; `key` makes a repeated call the same one."""
        body = {"name": name, "description": description}
        return self._post(ProjectOut, "/projects", json=body, headers={"Idempotency-Key": key})

    def change_project(self, project_id: int, changes: Mapping[str, Any]) -> ProjectOut:
        """Only what is named changes."""
        answer = self._send("PATCH", f"/projects/{project_id}", json=dict(changes))
        return ProjectOut.model_validate_json(answer.content)

    def delete_project(self, project_id: int) -> None:
        self._send("DELETE", f"/projects/{project_id}")

    # Members

    def members(self, project_id: int) -> list[MemberOut]:
        return self._get(MemberList, f"/projects/{project_id}/members").items

    def set_member(self, project_id: int, username: str, role: ProjectRoleName) -> MemberOut:
        """Lets somebody in, or gives a member another role."""
        path = _member_path(project_id, username)
        answer = self._send("PUT", path, json={"role": role})
        return MemberOut.model_validate_json(answer.content)

    def remove_member(self, project_id: int, username: str) -> None:
        """Also how one leaves."""
        self._send("DELETE", _member_path(project_id, username))

    def transfer(self, project_id: int, username: str) -> ProjectOut:
        """The new owner; the old one becomes an editor."""
        body = {"username": username}
        return self._post(ProjectOut, f"/projects/{project_id}/transfer", json=body)

    # What is in them

    def move(self, kind: ObjectKind, number: int, project_id: int) -> None:
        """Into another project; the caller owns both."""
        self._send("PATCH", f"/{kind}s/{number}", json={"project_id": project_id})


def _member_path(project_id: int, username: str) -> str:
    # Quoted whole: a name with a slash must not become another path.
    return f"/projects/{project_id}/members/{quote(username, safe='')}"
