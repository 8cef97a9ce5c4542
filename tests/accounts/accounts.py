"""Steps that the tests of accounts share."""

from typing import Any

import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.audit import Action
from backend.tables import AuditEvent

V1 = "/api/v1"
USERS = f"{V1}/users"
Sessions = async_sessionmaker[AsyncSession]
NEW_PASSWORD = "a sentence that nobody guesses"


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    assert answer.status_code == 422, answer.text
    return [str(problem["loc"][-1]) for problem in answer.json()["errors"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def sign_in_with(client: httpx.AsyncClient, username: str, password: str) -> httpx.Response:
    return await client.post(f"{V1}/auth/token", data={"username": username, "password": password})


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def create(client: httpx.AsyncClient, username: str, **more: Any) -> dict[str, Any]:
    """The new account as the administrator sees it."""
    answer = await client.post(USERS, json={"username": username, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_in(link: dict[str, str]) -> str:
    return link["url"].partition("=")[2]


async def deeds(sessions: Sessions, action: Action) -> list[AuditEvent]:
    async with sessions() as session:
        statement = select(AuditEvent).where(AuditEvent.action == action.value)
        return list((await session.execute(statement.order_by(AuditEvent.id))).scalars())
