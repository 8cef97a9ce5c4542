"""Projects for tests, over HTTP."""

from typing import Any

import httpx

V1 = "/api/v1"


async def make_project(client: httpx.AsyncClient, name: str = "Penguins") -> int:
    answer = await client.post(f"{V1}/projects", json={"name": name})
    assert answer.status_code == 201, answer.text
    project_id: int = answer.json()["id"]
    return project_id


async def share(client: httpx.AsyncClient, project_id: int, **roles: str) -> None:
    for username, role in roles.items():
        url = f"{V1}/projects/{project_id}/members/{username}"
        answer = await client.put(url, json={"role": role})
        assert answer.status_code == 200, answer.text


async def members(client: httpx.AsyncClient, project_id: int) -> dict[str, str]:
    answer = await client.get(f"{V1}/projects/{project_id}/members")
    assert answer.status_code == 200, answer.text
    return {row["username"]: row["role"] for row in answer.json()["items"]}


async def personal(client: httpx.AsyncClient) -> dict[str, Any]:
    listed = (await client.get(f"{V1}/projects", params={"mine": True})).json()["items"]
    (project,) = [row for row in listed if row["personal"]]
    found: dict[str, Any] = project
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
