"""Each deed with datasets and fits leaves one row, in the transaction that did it."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.core.access import Role
from tests.audit.events import REQUEST_ID, events, the_event
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import PENGUINS_KNN, V1, make_fit

CSV = b"x,y\n1,2\n3,4\n"


async def _dataset(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await upload_csv(client, CSV, "sea.csv")
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _assert_told(
    admin: httpx.AsyncClient, action: str, thing: dict[str, Any]
) -> dict[str, Any]:
    """Who, what, on which object, in which project, from where, by which request."""
    event = await the_event(admin, action, object_id=thing["id"])
    told = {name: event[name] for name in ("actor_name", "outcome", "address", "request_id")}
    assert told == {
        "actor_name": "ada",
        "outcome": "done",
        "address": "127.0.0.1",
        "request_id": REQUEST_ID["X-Request-ID"],
    }
    assert event["object_type"] == action.partition(".")[0]
    assert (event["object_name"], event["project_id"]) == (thing["name"], thing["project_id"])
    return event


async def test_new_dataset_is_noted_with_its_version(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ada.headers.update(REQUEST_ID)
    dataset = await _dataset(ada)
    event = await _assert_told(admin, "dataset.created", dataset)
    assert event["details"] == {"version": 1, "origin": "upload"}
    assert event["token_id"] is None
    assert event["actor_id"] == (await ada.get(f"{V1}/users/me")).json()["id"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "action", "details"),
    [
        (
            "POST",
            "/versions",
            {"files": {"file": ("sea.csv", b"x,y\n5,6\n7,8\n", "text/csv")}},
            "dataset.version_added",
            {"version": 2, "origin": "upload"},
        ),
        (
            "POST",
            "/versions/1/recipe",
            {"json": {"steps": [{"kind": "drop_nulls"}]}},
            "dataset.version_added",
            {"version": 2, "origin": "recipe", "parent_version": 1},
        ),
        (
            "GET",
            "/versions/1/download?format=csv",
            {},
            "dataset.downloaded",
            {"version": 1, "format": "csv"},
        ),
        ("PATCH", "", {"json": {"description": "salt"}}, "dataset.updated", None),
        ("DELETE", "", {}, "dataset.trashed", {}),
    ],
)
async def test_deed_with_a_dataset_is_noted_once(
    sign_in: SignIn,
    method: str,
    path: str,
    sent: dict[str, Any],
    action: str,
    details: dict[str, Any] | None,
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = await _dataset(ada)
    ada.headers.update(REQUEST_ID)
    answer = await ada.request(method, f"{V1}/datasets/{dataset['id']}{path}", **sent)
    assert answer.is_success, answer.text
    event = await _assert_told(admin, action, dataset)
    assert event["details"] == ({"fields": ["description"]} if details is None else details)


async def test_deed_by_a_token_names_the_token(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    token = (await ada.post(f"{V1}/tokens", json={"name": "t", "scope": "write"})).json()
    anonymous.headers["Authorization"] = f"Bearer {token['token']}"
    dataset = await _dataset(anonymous)
    event = await the_event(admin, "dataset.created", object_id=dataset["id"])
    assert (event["actor_name"], event["token_id"]) == ("ada", token["id"])
    everything = (await admin.get(f"{V1}/operations/audit.csv")).text
    assert token["token"] not in everything


async def test_renaming_keeps_the_former_name_and_nothing_changed_is_no_deed(
    sign_in: SignIn,
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = await _dataset(ada)
    for name in ("sea", "lake", "lake"):
        changed = await ada.patch(f"{V1}/datasets/{dataset['id']}", json={"name": name})
        assert changed.status_code == 200
    event = await the_event(admin, "dataset.updated")
    assert event["object_name"] == "lake"
    assert event["details"] == {"fields": ["name"], "former_name": "sea"}


async def test_dry_run_and_refused_change_leave_no_row(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = await _dataset(ada)
    path = f"{V1}/datasets/{dataset['id']}"
    steps = {"steps": [{"kind": "drop_nulls"}]}
    assert (await ada.post(f"{path}/versions/1/recipe?dry_run=true", json=steps)).is_success
    stale = {"If-Match": '"older"'}
    assert (await ada.patch(path, json={"name": "x"}, headers=stale)).status_code == 412
    assert (await ada.delete(path, headers=stale)).status_code == 412
    assert (await upload_csv(ada, b"")).status_code == 422
    bad = {**PENGUINS_KNN, "dataset_id": dataset["id"]}
    assert (await ada.post(f"{V1}/fits", json=bad)).status_code == 422
    assert [
        event["action"] for event in await events(admin, actor="ada", object_type="dataset")
    ] == ["dataset.created"]
    assert await events(admin, object_type="fit") == []


async def test_same_request_sent_twice_is_one_deed(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ada.headers["Idempotency-Key"] = "once"
    first, second = await _dataset(ada), await _dataset(ada)
    assert first["id"] == second["id"]
    fit = {"dataset_id": first["id"], "target": "y", "estimator": "ridge"}
    ids = {(await ada.post(f"{V1}/fits", json=fit)).json()["id"] for _ in range(2)}
    assert len(ids) == 1
    await the_event(admin, "dataset.created")
    await the_event(admin, "fit.started")


async def test_deeds_with_a_fit_are_noted(app: FastAPI, sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ada.headers.update(REQUEST_ID)
    fit = (await ada.get(f"{V1}/fits/{await make_fit(ada, app)}")).json()
    event = await _assert_told(admin, "fit.started", fit)
    assert event["details"] == {"dataset_id": fit["dataset_id"], "version": 1}

    again = (await ada.post(f"{V1}/fits/{fit['id']}/rerun")).json()
    event = await _assert_told(admin, "fit.started", again)
    assert event["details"]["rerun_of"] == fit["id"]

    assert (await ada.post(f"{V1}/fits/{again['id']}/cancel")).status_code == 202
    await _assert_told(admin, "fit.cancelled", again)
    assert (await ada.post(f"{V1}/fits/{again['id']}/cancel")).status_code == 409
    await the_event(admin, "fit.cancelled")

    assert (await ada.patch(f"{V1}/fits/{fit['id']}", json={"tags": {"a": "b"}})).is_success
    event = await _assert_told(admin, "fit.updated", fit)
    assert event["details"] == {"fields": ["tags"]}

    assert (await ada.delete(f"{V1}/fits/{fit['id']}")).status_code == 204
    await _assert_told(admin, "fit.trashed", fit)


async def test_unfinished_fit_in_the_trash_is_two_deeds(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = await _dataset(ada)
    request = {"dataset_id": dataset["id"], "target": "y", "estimator": "ridge"}
    fit = (await ada.post(f"{V1}/fits", json=request)).json()
    assert (await ada.delete(f"{V1}/fits/{fit['id']}")).status_code == 204
    told = [event["action"] for event in await events(admin, object_type="fit")]
    assert told == ["fit.trashed", "fit.cancelled", "fit.started"]
