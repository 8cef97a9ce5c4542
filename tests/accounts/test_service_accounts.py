"""Service accounts: made by administrators, used by tokens, entered by nobody."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.tables import AuditEvent
from tests.conftest import PASSWORD, SignIn

ACCOUNTS = "/api/v1/service-accounts"
ME = "/api/v1/users/me"
Sessions = async_sessionmaker[AsyncSession]


async def make_account(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post(ACCOUNTS, json={"username": "nightly", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def make_token(admin: httpx.AsyncClient, user_id: int, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"{ACCOUNTS}/{user_id}/tokens", json={"name": "cron", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['token']}"}


async def test_an_administrator_makes_an_account_that_works_by_token_alone(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    root = await sign_in("root", Role.ADMIN)
    made = await make_account(root, display_name="Nightly jobs")
    assert (made["kind"], made["role"], made["has_password"]) == ("service", "member", False)
    assert made["invited_until"] is None
    token = await make_token(root, made["id"], scope="write")
    assert (token["username"], token["created_by"]) == ("nightly", "root")
    me = await anonymous.get(ME, headers=bearer(token))
    assert me.json()["username"] == "nightly"
    project = {"name": "Made by a program"}
    answer = await anonymous.post("/api/v1/projects", json=project, headers=bearer(token))
    assert answer.status_code == 201
    listed = (await root.get(ACCOUNTS)).json()["items"]
    assert [item["username"] for item in listed] == ["nightly"]
    listed = (await root.get(f"{ACCOUNTS}/{made['id']}/tokens")).json()["items"]
    assert [item["hint"] for item in listed] == [token["token"][:8]]
    assert (await root.get("/api/v1/tokens")).json()["items"] == []
    async with sessions() as session:
        statement = select(AuditEvent).where(
            AuditEvent.object_name == "nightly", AuditEvent.action == "user.created"
        )
        row = (await session.execute(statement)).scalars().one()
    assert (row.actor_name, row.details["kind"]) == ("root", "service")


async def test_nobody_signs_in_to_a_service_account(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    root = await sign_in("root", Role.ADMIN)
    made = await make_account(root)
    for password in ("x", PASSWORD, "None"):
        form = {"username": "nightly", "password": password}
        answer = await anonymous.post("/api/v1/auth/token", data=form)
        assert answer.status_code == 401
    token = await make_token(root, made["id"], scope="write")
    body = {"new_password": "a sentence of some words"}
    answer = await anonymous.post(f"{ME}/password", json=body, headers=bearer(token))
    assert answer.status_code == 403
    reset = await root.post(f"/api/v1/users/{made['id']}/password-reset")
    invited = await root.post(f"/api/v1/users/{made['id']}/invitation")
    assert {reset.status_code, invited.status_code} <= {404, 409}


async def test_disabling_and_revoking_count_with_the_next_request(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    root = await sign_in("root", Role.ADMIN)
    made = await make_account(root)
    one, two = await make_token(root, made["id"]), await make_token(root, made["id"])
    path = f"{ACCOUNTS}/{made['id']}/tokens/{one['id']}"
    assert (await root.delete(path)).status_code == 204
    assert (await root.delete(path)).status_code == 404
    assert (await anonymous.get(ME, headers=bearer(one))).status_code == 401
    assert (await anonymous.get(ME, headers=bearer(two))).status_code == 200
    change = await root.patch(f"/api/v1/users/{made['id']}", json={"disabled": True})
    assert change.status_code == 200
    assert (await anonymous.get(ME, headers=bearer(two))).status_code == 401


async def test_only_administrators_govern_service_accounts(sign_in: SignIn) -> None:
    root, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    made = await make_account(root)
    path = f"{ACCOUNTS}/{made['id']}/tokens"
    answers = [
        await ada.get(ACCOUNTS),
        await ada.post(ACCOUNTS, json={"username": "mine"}),
        await ada.get(path),
        await ada.post(path, json={"name": "x"}),
        await ada.delete(f"{path}/1"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


async def test_a_person_is_no_service_account(sign_in: SignIn) -> None:
    root, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    user_id = (await ada.get(ME)).json()["id"]
    path = f"{ACCOUNTS}/{user_id}/tokens"
    assert (await root.get(path)).status_code == 404
    assert (await root.post(path, json={"name": "x"})).status_code == 404
    absent = await root.post(f"{ACCOUNTS}/999999999/tokens", json={"name": "x"})
    assert absent.status_code == 404


async def test_a_limited_token_needs_the_accounts_own_membership(sign_in: SignIn) -> None:
    root = await sign_in("root", Role.ADMIN)
    made = await make_account(root)
    projects = (await root.get("/api/v1/projects")).json()["items"]
    body = {"name": "x", "project_id": projects[0]["id"]}
    answer = await root.post(f"{ACCOUNTS}/{made['id']}/tokens", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "project_id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "ROOT"}, 409),
        ({"username": "goodfit-service"}, 409),
        ({"username": ""}, 422),
        ({"username": "robot", "role": "emperor"}, 422),
        ({"username": "robot", "password": PASSWORD}, 422),
        ({"username": "robot", "kind": "person"}, 422),
    ],
)
async def test_a_bad_account_is_refused(sign_in: SignIn, body: dict[str, str], status: int) -> None:
    root = await sign_in("root", Role.ADMIN)
    assert (await root.post(ACCOUNTS, json=body)).status_code == status
    assert (await root.get(ACCOUNTS)).json()["items"] == []
