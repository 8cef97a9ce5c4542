"""Each deed with models and retrainings leaves one row, also what the worker does for somebody."""

from typing import Any

from fastapi import FastAPI

from backend.core.access import Role
from tests.audit.events import REQUEST_ID, events, the_event
from tests.conftest import SignIn
from tests.registry.registering import V1, make_fit, make_model
from tests.retraining.comparing import finish_retraining


def _who(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["actor_name"], event["outcome"], event["address"], event["request_id"]


def _what(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["object_type"], event["object_id"], event["object_name"], event["project_id"]


async def test_deeds_with_a_model_are_noted(app: FastAPI, sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ada.headers.update(REQUEST_ID)
    model = await make_model(ada, app, promote=False)
    path = f"{V1}/models/{model['id']}"
    second = await make_fit(ada, app)
    reason = {"reason": "better"}
    calls: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
        (
            "POST",
            "/versions",
            {"json": {"fit_id": second}},
            "version_added",
            {"version": 2, "fit_id": second, "origin": "fit"},
        ),
        (
            "PUT",
            "/aliases/champion",
            {"json": {"version": 1, **reason}},
            "alias_set",
            {"alias": "champion", "from": None, "to": 1, "by": "set", **reason},
        ),
        ("PATCH", "", {"json": {"description": "d"}}, "updated", {"fields": ["description"]}),
        (
            "DELETE",
            "/aliases/champion",
            {"params": reason},
            "alias_removed",
            {"alias": "champion", "from": 1, "to": None, "by": "removed", **reason},
        ),
        ("DELETE", "", {}, "trashed", {}),
    ]
    created = await the_event(admin, "model.created")
    assert created["details"] == {"version": 1, "fit_id": model["fit_id"]}
    for method, rest, sent, deed, details in calls:
        answer = await ada.request(method, path + rest, **sent)
        assert answer.is_success, answer.text
        event = await the_event(admin, f"model.{deed}")
        assert event["details"] == details
        assert _who(event) == ("ada", "done", "127.0.0.1", REQUEST_ID["X-Request-ID"])
        assert _what(event) == ("model", model["id"], "penguins", model["project_id"])


async def test_what_changes_nothing_is_no_deed(app: FastAPI, sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app)
    path = f"{V1}/models/{model['id']}"
    assert (await ada.post(f"{path}/versions", json={"fit_id": model["fit_id"]})).is_success
    same = {"version": 1, "reason": "again"}
    assert (await ada.put(f"{path}/aliases/champion", json=same)).is_success
    assert (await ada.delete(f"{path}/aliases/nobody", params={"reason": "x"})).is_success
    assert (await ada.patch(path, json={"name": "penguins"})).is_success
    assert (await ada.post(f"{path}/rollback", json={"reason": "x"})).status_code == 409
    taken = {"name": "penguins", "fit_id": model["fit_id"]}
    assert (await ada.post(f"{V1}/models", json=taken)).status_code == 409
    told = [event["action"] for event in await events(admin, object_type="model")]
    assert told == ["model.alias_set", "model.created"]


async def test_rollback_is_noted_with_where_it_led(app: FastAPI, sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app)
    path = f"{V1}/models/{model['id']}"
    await ada.post(f"{path}/versions", json={"fit_id": await make_fit(ada, app)})
    await ada.put(f"{path}/aliases/champion", json={"version": 2, "reason": "newer"})
    assert (await ada.post(f"{path}/rollback", json={"reason": "worse"})).is_success
    event = await the_event(admin, "model.rolled_back")
    assert (event["details"]["from"], event["details"]["to"]) == (2, 1)
    assert len(await events(admin, action="model.alias_set")) == 2


async def test_promotion_by_the_worker_is_noted_for_who_asked(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app)
    path = f"{V1}/models/{model['id']}"
    body = {"minimum_gain": 0.0, "require_approval": True}
    started = await admin.post(f"{path}/retrain", json=body, headers=REQUEST_ID)
    assert started.status_code == 202, started.text
    retraining = started.json()
    event = await the_event(admin, "retraining.started")
    assert _who(event) == ("root", "done", "127.0.0.1", REQUEST_ID["X-Request-ID"])
    assert _what(event) == ("retraining", retraining["id"], "penguins", model["project_id"])
    assert event["details"] == {
        "trigger": "manual",
        "model_id": model["id"],
        "fit_id": retraining["fit_id"],
        "champion_version": 1,
    }
    fit = await the_event(admin, "fit.started", object_id=retraining["fit_id"])
    assert fit["actor_name"] == "root"

    await finish_retraining(app, admin, retraining["id"])
    version = await the_event(admin, "model.version_added")
    assert (version["actor_name"], version["details"]["origin"]) == ("root", "retraining")
    alias = (await events(admin, action="model.alias_set"))[0]
    assert (alias["actor_name"], alias["details"]["alias"]) == ("root", "challenger")
    assert (alias["details"]["by"], alias["address"]) == ("retraining", None)
