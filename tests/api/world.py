"""A shared project with all kinds of things in it, and everybody who might ask for them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.core.security import AccessClaims, decode_access_token, encode_access_token
from backend.settings import Settings
from tests.api.routes import PARTS, Route
from tests.conftest import DATA, SignIn
from tests.registry.registering import PENGUINS_KNN, V1, make_fit

ABSENT = 999_999_999
Sessions = async_sessionmaker[AsyncSession]
_HOLE = re.compile(r"\{(\w+)\}")


@dataclass
class World:
    """Clients by what they are called in the rules, and the ids of the owner's things."""

    clients: dict[str, httpx.AsyncClient]
    things: dict[str, Any] = field(default_factory=dict)

    async def send(
        self, caller: str, route: Route, things: dict[str, Any] | None = None
    ) -> httpx.Response:
        """The route's request as this caller, about the owner's things or those given."""
        known = {**PARTS, **self.things, **(things or {})}
        there = {**known, **{name: known[thing] for name, thing in route.at.items()}}
        return await self.clients[caller].request(
            route.method,
            V1 + str(filled(route.path, there)),
            json=filled(route.json, known),
            params=filled(route.params, known),
            data=filled(route.data, known),
            files=route.files,
        )


def filled(template: Any, things: dict[str, Any]) -> Any:
    """The template with its ids; a text that is nothing but a name becomes the id itself."""
    if isinstance(template, dict):
        return {name: filled(value, things) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, things) for value in template]
    if not isinstance(template, str):
        return template
    whole = _HOLE.fullmatch(template)
    if whole is not None:
        return things[whole[1]]
    return _HOLE.sub(lambda hole: str(things[hole[1]]), template)


@asynccontextmanager
async def undone(sessions: Sessions) -> AsyncIterator[None]:
    """What happens inside is taken back."""
    connection: AsyncConnection = sessions.kw["bind"]
    savepoint = await connection.begin_nested()
    try:
        yield
    finally:
        await savepoint.rollback()


async def _made(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


async def _token(client: httpx.AsyncClient, path: str = "tokens", **wanted: Any) -> dict[str, Any]:
    made: dict[str, Any] = await _made(await client.post(f"{V1}/{path}", json=wanted))
    return made


def _with(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    """Another client of the same application, which carries this token."""
    transport = client._transport
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


async def make_world(
    app: FastAPI, sign_in: SignIn, anonymous: httpx.AsyncClient, settings: Settings
) -> World:
    people = {
        "stranger": await sign_in("bob"),
        "reader": await sign_in("rita", Role.VIEWER),
        "viewer": await sign_in("vera"),
        "editor": await sign_in("edith"),
        "owner": await sign_in("ada"),
        "admin": await sign_in("root", Role.ADMIN),
        "disabled": await sign_in("dora"),
    }
    world = World({"anonymous": anonymous, **people})
    await _share(world)
    await _fill(world, app)
    await _give_tokens(world, settings)
    return world


async def _share(world: World) -> None:
    owner, admin = world.clients["owner"], world.clients["admin"]
    for name, caller in (("project_id", "sea"), ("other_project_id", "land")):
        project = await _made(await owner.post(f"{V1}/projects", json={"name": caller}))
        world.things[name] = project["id"]
    roles = {"rita": "viewer", "vera": "viewer", "edith": "editor", "dora": "editor"}
    for username, role in roles.items():
        path = f"{V1}/projects/{world.things['project_id']}/members/{username}"
        await _made(await owner.put(path, json={"role": role}))
    members = (await admin.get(f"{V1}/users", params={"name_contains": "dora"})).json()["items"]
    path = f"{V1}/users/{members[0]['id']}"
    await _made(await admin.patch(path, json={"disabled": True}))
    invited = await _made(await admin.post(f"{V1}/users", json={"username": "ingrid"}))
    robot = await _made(await admin.post(f"{V1}/service-accounts", json={"username": "cron"}))
    token = await _token(admin, f"service-accounts/{robot['id']}/tokens", name="nightly")
    target = (await world.clients["stranger"].get(f"{V1}/users/me")).json()
    world.things |= {
        "user_id": target["id"],
        "invited_id": invited["id"],
        "service_id": robot["id"],
        "service_token_id": token["id"],
        "newcomer": "bob",
        "member": "dora",
    }


async def _fill(world: World, app: FastAPI) -> None:
    owner, admin = world.clients["owner"], world.clients["admin"]
    uploaded = await owner.post(
        f"{V1}/datasets",
        data={"project_id": str(world.things["project_id"])},
        files={"file": ("penguins.csv", (DATA / "penguins.csv").read_bytes(), "text/csv")},
    )
    dataset_id = (await _made(uploaded))["id"]
    fit_id = await make_fit(owner, app, dataset_id, **PENGUINS_KNN)
    model = await _made(
        await owner.post(f"{V1}/models", json={"name": "penguins", "fit_id": fit_id})
    )
    path = f"{V1}/models/{model['id']}"
    pointed = {"version": 1, "reason": "first"}
    await _made(await owner.put(f"{path}/aliases/champion", json=pointed))
    policy = {"dataset_id": dataset_id, "schedule": "0 6 * * 1"}
    await _made(await admin.put(f"{path}/retraining", json=policy))
    retraining = await _made(await admin.post(f"{path}/retrain"))
    wanted = {"dataset_id": dataset_id, **PENGUINS_KNN}
    queued = await _made(await owner.post(f"{V1}/fits", json=wanted))
    jobs = (await admin.get(f"{V1}/operations/jobs")).json()["items"]
    trashed_id = await _trashed(owner, world.things["project_id"])
    plots = (await owner.get(f"{V1}/fits/{fit_id}/plots")).json()
    world.things |= {
        "dataset_id": dataset_id,
        "trashed_id": trashed_id,
        "fit_id": fit_id,
        "queued_id": queued["id"],
        "model_id": model["id"],
        "retraining_id": retraining["id"],
        "job_id": next(job["id"] for job in jobs if job["about"] == {"fit_id": queued["id"]}),
        "kind": plots["items"][0]["kind"],
    }


async def _trashed(owner: httpx.AsyncClient, project_id: int) -> int:
    table = {"name": "old", "project_id": project_id, "columns": {"x": [1, 2], "y": [2, 3]}}
    dataset_id: int = (await _made(await owner.post(f"{V1}/datasets", json=table)))["id"]
    gone = await owner.delete(f"{V1}/datasets/{dataset_id}")
    assert gone.status_code == 204, gone.text
    return dataset_id


async def _give_tokens(world: World, settings: Settings) -> None:
    owner, admin = world.clients["owner"], world.clients["admin"]
    limits = {
        "read": {"scope": "read"},
        "predict": {"scope": "predict"},
        "limited": {"scope": "write", "project_id": world.things["project_id"]},
        "other": {"scope": "write", "project_id": world.things["other_project_id"]},
        "revoked": {"scope": "write"},
    }
    for name, limit in limits.items():
        token = await _token(owner, name=name, **limit)
        world.clients[name] = _with(owner, token["token"])
        world.things["token_id"] = token["id"]
    gone = await owner.delete(f"{V1}/tokens/{world.things['token_id']}")
    assert gone.status_code == 204, gone.text
    token = await _token(owner, name="to be revoked")
    world.things["token_id"] = token["id"]
    machine = await _token(admin, name="machine", scope="write")
    world.clients["machine"] = _with(admin, machine["token"])
    sessions = (await owner.get(f"{V1}/users/me/sessions")).json()["items"]
    world.things["session_id"] = sessions[0]["id"]
    world.clients["expired"] = _with(owner, _expired(owner, settings))


def _expired(owner: httpx.AsyncClient, settings: Settings) -> str:
    """The owner's access token as it looks when its time is over."""
    key = settings.secrets.token_key.get_secret_value()
    claims = decode_access_token(owner.headers["Authorization"].removeprefix("Bearer "), keys=[key])
    assert claims is not None
    return encode_access_token(
        AccessClaims(user_id=claims.user_id, session_id=claims.session_id),
        key=key,
        lifetime=timedelta(minutes=-5),
    )
