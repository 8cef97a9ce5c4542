"""Deleting accounts: what they owned goes to an heir or to the trash, their ways in close."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from backend.core.access import Role
from backend.core.audit import Action
from backend.tables import ExternalIdentity, Fit, Project, ProjectMember, User
from tests.accounts.accounts import (
    USERS,
    V1,
    Sessions,
    code,
    create,
    deeds,
    fields,
    sign_in_with,
)
from tests.conftest import PASSWORD, SignIn, upload_csv


async def _id(client: httpx.AsyncClient) -> int:
    number: int = (await client.get(f"{USERS}/me")).json()["id"]
    return number


async def _shared_project(owner: httpx.AsyncClient, **members: str) -> int:
    made = await owner.post(f"{V1}/projects", json={"name": "Birds"})
    assert made.status_code == 201, made.text
    project_id: int = made.json()["id"]
    for username, role in members.items():
        path = f"{V1}/projects/{project_id}/members/{username}"
        assert (await owner.put(path, json={"role": role})).status_code == 200
    return project_id


async def _names(client: httpx.AsyncClient) -> list[str]:
    items = (await client.get(f"{V1}/projects?sort=name&mine=true")).json()["items"]
    return [item["name"] for item in items]


async def test_account_without_belongings_is_deleted_and_its_name_stays_taken(
    anonymous: httpx.AsyncClient, sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    await ada.get(f"{V1}/projects")  # makes the personal project, which stays empty
    ada_id = await _id(ada)
    async with sessions() as session:
        session.add(ExternalIdentity(user_id=ada_id, issuer="https://x.example", subject="1"))
        await session.commit()
    await admin.patch(f"{USERS}/{ada_id}", json={"email": "ada@example.org", "display_name": "A"})
    assert (await admin.get(f"{USERS}/{ada_id}/holdings")).json() == {"items": []}
    assert (await admin.delete(f"{USERS}/{ada_id}")).status_code == 204
    assert (await ada.get(f"{USERS}/me")).status_code == 401
    assert (await sign_in_with(anonymous, "ada", PASSWORD)).status_code == 401
    assert code(await admin.delete(f"{USERS}/{ada_id}")) == (404, "not_found")
    assert (await admin.get(f"{USERS}/{ada_id}")).status_code == 404
    listed = (await admin.get(USERS)).json()["items"]
    assert [item["username"] for item in listed] == ["root"]
    assert code(await admin.post(USERS, json={"username": "ADA"})) == (409, "name_taken")
    again = await create(admin, "grace", email="ada@example.org")
    assert again["email_verified"] is True
    async with sessions() as session:
        row = await session.get_one(User, ada_id)
        kept = (row.username, row.display_name, row.email, row.password_hash)
        identities = (await session.execute(select(ExternalIdentity))).scalars().all()
    assert kept == ("ada", "", None, None)
    assert identities == []
    (deed,) = await deeds(sessions, Action.USER_DELETED)
    assert (deed.actor_name, deed.object_name) == ("root", "ada")


async def test_personal_tokens_of_a_deleted_account_are_refused(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    made = await ada.post(f"{V1}/tokens", json={"name": "laptop", "scope": "read"})
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await anonymous.get(f"{USERS}/me", headers=bearer)).status_code == 200
    assert (await admin.delete(f"{USERS}/{await _id(ada)}")).status_code == 204
    assert (await anonymous.get(f"{USERS}/me", headers=bearer)).status_code == 401


async def test_heir_owns_what_the_deleted_account_alone_owned(
    sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    bob, eve = await sign_in("bob"), await sign_in("eve")
    await upload_csv(bob)
    dataset_id = (await upload_csv(ada)).json()["id"]
    birds = await _shared_project(ada, eve="viewer")
    with_two_owners = await _shared_project(ada, eve="owner")
    ada_id = await _id(ada)
    held = (await admin.get(f"{USERS}/{ada_id}/holdings")).json()["items"]
    assert [(item["name"], item["personal"], item["datasets"]) for item in held] == [
        ("ada's project", True, 1),
        ("Birds", False, 0),
    ]
    assert held[1]["project_id"] == birds
    assert (await bob.get(f"{V1}/datasets/{dataset_id}")).status_code == 404
    assert (await admin.delete(f"{USERS}/{ada_id}?heir=BOB")).status_code == 204
    assert (await bob.get(f"{V1}/datasets/{dataset_id}")).status_code == 200
    assert await _names(bob) == ["Birds", "ada's project", "bob's project"]
    shown = (await bob.get(f"{V1}/projects/{birds}")).json()
    assert (shown["my_role"], shown["members"]) == ("owner", 2)
    assert (await eve.get(f"{V1}/projects/{birds}")).status_code == 200
    assert (await bob.get(f"{V1}/projects/{with_two_owners}")).status_code == 404
    async with sessions() as session:
        left = select(ProjectMember).where(ProjectMember.user_id == ada_id)
        assert (await session.execute(left)).first() is None
        personal = select(Project.name).where(Project.personal, Project.trashed_at.is_(None))
        names = sorted((await session.execute(personal)).scalars())
    assert "ada's project" not in names
    transfers = await deeds(sessions, Action.PROJECT_TRANSFERRED)
    assert {row.object_id for row in transfers} >= {birds}
    assert {row.actor_name for row in transfers} == {"root"}


async def test_trash_takes_the_projects_and_cancels_their_fits(
    sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    eve = await sign_in("eve")
    birds = await _shared_project(ada, eve="editor")
    uploaded = (await upload_csv(ada)).json()
    request = {
        "dataset_id": uploaded["id"],
        "target": "body_mass_g",
        "estimator": "ordinary_least_squares",
    }
    started = await ada.post(f"{V1}/fits", json=request)
    assert started.status_code == 202, started.text
    assert (await admin.delete(f"{USERS}/{await _id(ada)}?trash=true")).status_code == 204
    assert (await eve.get(f"{V1}/projects/{birds}")).status_code == 404
    assert (await admin.get(f"{V1}/datasets/{uploaded['id']}")).status_code == 404
    async with sessions() as session:
        fit = await session.get_one(Fit, started.json()["id"])
    assert fit.state == "cancelled"
    assert len(await deeds(sessions, Action.PROJECT_TRASHED)) == 2


async def test_account_with_belongings_needs_an_heir_or_the_trash(
    sign_in: SignIn, sessions: Sessions
) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    await sign_in("eve", Role.VIEWER)
    gone = await create(admin, "gone", password=PASSWORD)
    await admin.patch(f"{USERS}/{gone['id']}", json={"disabled": True})
    await upload_csv(ada)
    path = f"{USERS}/{await _id(ada)}"
    refused: list[tuple[str, str]] = [
        ("", "heir"),
        ("?heir=nobody", "heir"),
        ("?heir=ada", "heir"),
        ("?heir=eve", "heir"),
        ("?heir=gone", "heir"),
        ("?heir=x", "heir"),
        ("?heir=root&trash=true", "trash"),
        ("?trash=perhaps", "trash"),
    ]
    for query, field in refused:
        assert fields(await admin.delete(f"{path}{query}")) == [field], query
    assert (await ada.get(f"{USERS}/me")).status_code == 200
    assert len(await _names(ada)) == 1
    for action in (Action.USER_DELETED, Action.PROJECT_TRASHED, Action.PROJECT_TRANSFERRED):
        assert await deeds(sessions, action) == []


@pytest.mark.parametrize("change", [None, {"disabled": True}, {"role": "member"}])
async def test_last_administrator_stays(sign_in: SignIn, change: dict[str, Any] | None) -> None:
    admin = await sign_in("root", Role.ADMIN)
    await create(admin, "invited", role="admin")  # cannot sign in yet
    off = await create(admin, "off", role="admin", password=PASSWORD)
    assert (await admin.patch(f"{USERS}/{off['id']}", json={"disabled": True})).status_code == 200
    path = f"{USERS}/{await _id(admin)}"
    answer = await (admin.delete(path) if change is None else admin.patch(path, json=change))
    assert code(answer) == (409, "last_admin")
    assert code(await admin.post(f"{path}/password-reset")) == (409, "last_admin")
    assert (await admin.get(f"{USERS}/me")).json()["role"] == "admin"
    await create(admin, "second", role="admin", password=PASSWORD)
    answer = await (admin.delete(path) if change is None else admin.patch(path, json=change))
    assert answer.status_code in (200, 204)
    assert (await admin.get(USERS)).status_code == (403 if change == {"role": "member"} else 401)
