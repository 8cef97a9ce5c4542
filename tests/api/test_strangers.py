"""A foreign id and one that does not exist are answered alike: status, body and headers."""

from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from tests.api.routes import ALL, FILE, Route
from tests.api.rules import Rule
from tests.api.world import ABSENT, Sessions, World, undone
from tests.audit.events import events
from tests.conftest import DATA
from tests.registry.registering import PENGUINS_KNN, V1, make_fit

# Rules that begin with the question whether the caller may see the thing.
ABOUT_THINGS: Final = (Rule.READ, Rule.WRITE, Rule.GOVERN, Rule.PREDICT, Rule.PERSONAL)
MINE: Final = ("my_project_id", "my_dataset_id", "my_fit_id", "my_model_id")


def _comparable(answer: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    kind = answer.headers.get("content-type", "")
    body = {**answer.json(), "request_id": ""} if "json" in kind else answer.content
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return answer.status_code, body, headers


def _nowhere(things: dict[str, Any]) -> dict[str, Any]:
    """The same things under ids that nothing has."""
    return {name: ABSENT if name.endswith("_id") else value for name, value in things.items()}


@pytest.mark.parametrize("caller", ["stranger", "other"])
async def test_foreign_and_absent_are_answered_alike_on_every_route(
    world: World, sessions: Sessions, caller: str
) -> None:
    compared = 0
    for route in ALL:
        if route.rule not in ABOUT_THINGS:
            continue
        async with undone(sessions):
            foreign = await world.send(caller, route)
        async with undone(sessions):
            absent = await world.send(caller, route, _nowhere(world.things))
        assert _comparable(foreign) == _comparable(absent), route.name
        assert foreign.status_code == route.rule.answers[caller], (route.name, foreign.text)
        compared += 1
    assert compared > 50


JOIN: Final = {
    "steps": [
        {
            "kind": "join",
            "dataset_id": "{dataset_id}",
            "version": 1,
            "on": {"species": "species", "island": "island"},
            "columns": ["year"],
            "many": True,
        }
    ]
}
# The stranger's own things, and one id that is not theirs where `{}` of the matrix would be.
ELSEWHERE: Final = [
    Route("POST", "/datasets", Rule.OWN, data={"project_id": "{project_id}"}, files=FILE),
    Route(
        "POST",
        "/datasets",
        Rule.OWN,
        json={"name": "t", "project_id": "{project_id}", "columns": {"x": [1], "y": [2]}},
    ),
    Route("PATCH", "/datasets/{my_dataset_id}", Rule.OWN, json={"project_id": "{project_id}"}),
    Route("POST", "/datasets/{my_dataset_id}/versions/1/recipe", Rule.OWN, json=JOIN),
    Route("POST", "/fits", Rule.OWN, json={**PENGUINS_KNN, "dataset_id": "{dataset_id}"}),
    Route("PATCH", "/fits/{my_fit_id}", Rule.OWN, json={"project_id": "{project_id}"}),
    Route("POST", "/fits/{my_fit_id}/rerun", Rule.OWN, json={"dataset_id": "{dataset_id}"}),
    Route("POST", "/models", Rule.OWN, json={"name": "m", "fit_id": "{fit_id}"}),
    Route(
        "POST",
        "/models",
        Rule.OWN,
        json={"name": "m", "fit_id": "{my_fit_id}", "project_id": "{project_id}"},
    ),
    Route("POST", "/models/{my_model_id}/versions", Rule.OWN, json={"fit_id": "{fit_id}"}),
    Route("PATCH", "/models/{my_model_id}", Rule.OWN, json={"project_id": "{project_id}"}),
    Route(
        "PUT", "/models/{my_model_id}/retraining", Rule.ADMIN, json={"dataset_id": "{dataset_id}"}
    ),
    Route("POST", "/models/{my_model_id}/retrain", Rule.ADMIN, json={"dataset_id": "{dataset_id}"}),
    Route("POST", "/tokens", Rule.PERSON, json={"name": "x", "project_id": "{project_id}"}),
    Route("DELETE", "/users/{user_id}", Rule.ADMIN_PERSON, params={"heir": "{member}"}),
    Route("GET", "/datasets", Rule.OWN, params={"project_id": "{project_id}"}),
    Route("GET", "/fits", Rule.OWN, params={"project_id": "{project_id}"}),
    Route("GET", "/fits", Rule.OWN, params={"dataset_id": "{dataset_id}"}),
    Route("GET", "/models", Rule.OWN, params={"project_id": "{project_id}"}),
    Route("GET", "/retrainings", Rule.OWN, params={"project_id": "{project_id}"}),
    Route("GET", "/retrainings", Rule.OWN, params={"model_id": "{model_id}"}),
    Route("GET", "/operations/audit", Rule.ADMIN, params={"project_id": "{project_id}"}),
]


async def _own_things(world: World, app: FastAPI) -> dict[str, Any]:
    """What the stranger has."""
    stranger = world.clients["stranger"]
    uploaded = await stranger.post(
        f"{V1}/datasets",
        files={"file": ("own.csv", (DATA / "penguins.csv").read_bytes(), "text/csv")},
    )
    dataset = uploaded.json()
    fit_id = await make_fit(stranger, app, dataset["id"], **PENGUINS_KNN)
    model = await stranger.post(f"{V1}/models", json={"name": "own", "fit_id": fit_id})
    loose = await make_fit(stranger, app, dataset["id"], **PENGUINS_KNN)
    return dict(
        zip(MINE, (dataset["project_id"], dataset["id"], loose, model.json()["id"]), strict=True)
    )


async def test_foreign_and_absent_are_answered_alike_in_bodies_and_queries(
    world: World, sessions: Sessions, app: FastAPI
) -> None:
    own = await _own_things(world, app)
    for route in ELSEWHERE:
        async with undone(sessions):
            foreign = await world.send("stranger", route, own)
        async with undone(sessions):
            absent = await world.send("stranger", route, {**_nowhere(world.things), **own})
        assert _comparable(foreign) == _comparable(absent), route.name
        if route.method == "GET":
            assert foreign.json().get("items", []) == [], route.name
        else:
            assert foreign.status_code in (403, 404, 422), (route.name, foreign.text)


async def test_own_ids_are_accepted_where_foreign_ones_are_not(
    world: World, sessions: Sessions, app: FastAPI
) -> None:
    """Else the test above would compare two refusals of something else."""
    own = await _own_things(world, app)
    mine = {name.removeprefix("my_"): thing for name, thing in own.items()}
    for route in ELSEWHERE:
        if route.rule is not Rule.OWN:
            continue
        async with undone(sessions):
            answer = await world.send("stranger", route, {**own, **mine})
        assert answer.is_success, (route.name, answer.text)


async def _rows(admin: httpx.AsyncClient) -> dict[str, int]:
    """How much there is of everything, but of what is noted about it."""
    rows: dict[str, int] = (await admin.get(f"{V1}/operations/storage")).json()["rows"]
    return {name: count for name, count in rows.items() if name != "audit_events"}


async def test_strangers_calls_leave_nothing_behind(world: World, sessions: Sessions) -> None:
    admin = world.clients["admin"]
    before = await _rows(admin)
    async with undone(sessions):
        for route in ALL:
            if route.rule in ABOUT_THINGS:
                await world.send("stranger", route)
        after = await _rows(admin)
        noted = await events(admin, actor="bob")
    assert before == after
    done = {event["action"] for event in noted if event["outcome"] != "denied"}
    assert done <= {"session.opened", "project.created"}
    assert len([event for event in noted if event["outcome"] == "denied"]) > 50


async def test_lists_of_a_stranger_are_empty(world: World) -> None:
    stranger, member = world.clients["stranger"], world.clients["viewer"]
    for name in ("datasets", "fits", "models", "retrainings"):
        assert (await stranger.get(f"{V1}/{name}")).json()["items"] == []
        assert (await member.get(f"{V1}/{name}")).json()["items"] != []
    for caller, names in (
        ("stranger", ["bob's project"]),
        ("limited", ["sea"]),
        ("other", ["land"]),
    ):
        items = (await world.clients[caller].get(f"{V1}/projects")).json()["items"]
        assert [item["name"] for item in items] == names


async def test_administrators_see_what_members_own_and_may_ask_for_their_own(world: World) -> None:
    admin = world.clients["admin"]
    assert (await admin.get(f"{V1}/datasets")).json()["items"] != []
    assert (await admin.get(f"{V1}/datasets?mine=true")).json()["items"] == []
