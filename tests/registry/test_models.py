"""Registering, versioning, moving aliases and rolling them back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event

from backend.registry.service import find_previous_version
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import PENGUINS_KNN, V1, make_fit, make_model

OLS = {"target": "body_mass_g", "estimator": "ordinary_least_squares"}


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def _point(client: httpx.AsyncClient, model_id: int, version: int, reason: str) -> None:
    answer = await client.put(
        f"{V1}/models/{model_id}/aliases/champion", json={"version": version, "reason": reason}
    )
    assert answer.status_code == 200, answer.text


async def test_member_registers_a_fit_and_reads_its_lineage(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    read = await ada.get(f"{V1}/models/{model['id']}")
    assert read.json()["aliases"] == {"champion": 1}
    assert read.json()["mlflow_name"].endswith(".penguins")
    assert read.headers["etag"]
    version = (await ada.get(f"{V1}/models/{model['id']}/versions/1")).json()
    assert (version["fit_id"], version["origin"]) == (model["fit_id"], "fit")
    assert version["estimator"] == "k_nearest_neighbors"
    assert (version["dataset_version"], len(version["dataset_digest"])) == (1, 64)
    assert version["metrics"]["accuracy"] > 0.9
    assert version["aliases"] == ["champion"]


async def test_unfinished_fit_is_not_registered(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = (await upload_csv(ada)).json()
    fit = await ada.post(f"{V1}/fits", json={"dataset_id": dataset["id"], **PENGUINS_KNN})
    answer = await ada.post(f"{V1}/models", json={"name": "m", "fit_id": fit.json()["id"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "fit_without_results")


async def test_name_is_taken_once_per_project_and_free_after_the_trash(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app, promote=False)
    body = {"name": "PENGUINS", "fit_id": model["fit_id"]}
    assert (await ada.post(f"{V1}/models", json=body)).status_code == 409
    await ada.delete(f"{V1}/models/{model['id']}")
    again = await ada.post(f"{V1}/models", json=body)
    assert again.status_code == 201
    # Names are global in MLflow, and the one in the trash keeps its own.
    assert again.json()["mlflow_name"].lower() != model["mlflow_name"].lower()


async def test_same_idempotency_key_registers_one_model(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    fit_id = await make_fit(ada, app)
    body, headers = {"name": "m", "fit_id": fit_id}, {"Idempotency-Key": "k-1"}
    first = await ada.post(f"{V1}/models", json=body, headers=headers)
    second = await ada.post(f"{V1}/models", json=body, headers=headers)
    assert first.json()["id"] == second.json()["id"]


async def test_fit_with_other_inputs_or_target_is_no_version(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    other = await make_fit(ada, app, None, **OLS)
    answer = await ada.post(f"{V1}/models/{model['id']}/versions", json={"fit_id": other})
    assert answer.status_code == 422
    told = " ".join(entry["msg"] for entry in answer.json()["errors"])
    assert "predicts species, the fit body_mass_g" in told
    assert "also needs bill_depth_mm" in told


async def test_fit_added_twice_is_one_version(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    fit_id = await make_fit(ada, app)
    url = f"{V1}/models/{model['id']}/versions"
    first = await ada.post(url, json={"fit_id": fit_id})
    second = await ada.post(url, json={"fit_id": fit_id})
    assert (first.status_code, first.json()["version"]) == (201, 2)
    assert second.json()["version"] == 2


async def test_alias_moves_with_reasons_and_rolls_back_step_by_step(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    base = f"{V1}/models/{model['id']}"
    await ada.post(f"{base}/versions", json={"fit_id": await make_fit(ada, app)})
    await _point(ada, model["id"], 2, "better on new data")
    back = await ada.post(f"{base}/rollback", json={"reason": "worse in use"})
    assert back.json() == {"alias": "champion", "version": 1}
    again = await ada.post(f"{base}/rollback", json={"reason": "further"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_roll_back")
    history = (await ada.get(f"{base}/aliases/history")).json()["items"]
    assert [(h["kind"], h["from_version"], h["to_version"], h["reason"]) for h in history] == [
        ("rollback", 2, 1, "worse in use"),
        ("set", 1, 2, "better on new data"),
        ("set", None, 1, "the first one"),
    ]
    assert {h["changed_by"] for h in history} == {"ada"}


async def test_alias_is_taken_away_and_stays_away(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/aliases/champion"
    assert (await ada.delete(url)).status_code == 422  # a reason is needed
    assert (await ada.delete(url, params={"reason": "retired"})).status_code == 204
    assert (await ada.get(f"{V1}/models/{model['id']}")).json()["aliases"] == {}


async def test_model_tells_its_champion_and_where_a_rollback_leads(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app, promote=False)
    base = f"{V1}/models/{model['id']}"
    assert (model["champion"], model["rollback_to"]) == (None, None)
    await ada.post(f"{base}/versions", json={"fit_id": await make_fit(ada, app)})
    await _point(ada, model["id"], 1, "the first one")
    etag = (await ada.get(base)).headers["etag"]
    await _point(ada, model["id"], 2, "newer")
    read = await ada.get(base)
    second = (await ada.get(f"{base}/versions/2")).json()
    assert read.json()["champion"] == {"version": 2, "metrics": second["metrics"]}
    assert second["metrics"]["accuracy"] > 0.9
    assert read.json()["rollback_to"] == 1
    assert read.headers["etag"] != etag
    back = await ada.post(f"{base}/rollback", json={"reason": "worse"})
    assert back.json()["version"] == read.json()["rollback_to"]
    now = (await ada.get(base)).json()
    assert (now["champion"]["version"], now["rollback_to"]) == (1, None)


async def test_list_of_models_costs_the_same_statements_however_long(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    models = [await make_model(ada, app, name="first")]
    with _statements() as for_one:
        assert len((await ada.get(f"{V1}/models")).json()["items"]) == 1
    models += [await make_model(ada, app, name=name) for name in ("second", "third")]
    with _statements() as for_three:
        items = (await ada.get(f"{V1}/models")).json()["items"]
    assert [item["id"] for item in items] == [model["id"] for model in models[::-1]]
    assert {item["champion"]["version"] for item in items} == {1}
    assert len(for_three) == len(for_one) > 0


@pytest.mark.parametrize("alias", ["latest", "v1", "Champion", "a b", "x" * 60])
async def test_reserved_or_odd_alias_is_refused(app: FastAPI, sign_in: SignIn, alias: str) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app, promote=False)
    answer = await ada.put(
        f"{V1}/models/{model['id']}/aliases/{alias}", json={"version": 1, "reason": "x"}
    )
    assert answer.status_code == 422


async def test_alias_on_an_absent_version_changes_nothing(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/aliases/champion"
    answer = await ada.put(url, json={"version": 7, "reason": "typo"})
    assert answer.status_code == 404
    assert (await ada.get(f"{V1}/models/{model['id']}")).json()["aliases"] == {"champion": 1}


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x07b", "\u202eabc", "x" * 201])
async def test_name_that_is_none_is_refused(app: FastAPI, sign_in: SignIn, name: str) -> None:
    ada = await sign_in("ada")
    fit_id = await make_fit(ada, app)
    answer = await ada.post(f"{V1}/models", json={"name": name, "fit_id": fit_id})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "name"]


async def test_blank_reason_is_none(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}"
    change = {"version": 1, "reason": "  "}
    assert (await ada.put(f"{url}/aliases/challenger", json=change)).status_code == 422
    assert (await ada.post(f"{url}/rollback", json={"reason": " "})).status_code == 422


async def test_stale_change_is_refused(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}"
    etag = (await ada.get(url)).headers["etag"]
    assert (await ada.patch(url, json={"description": "x"})).status_code == 200
    stale = await ada.patch(url, json={"name": "y"}, headers={"If-Match": etag})
    assert stale.status_code == 412


async def test_models_are_listed_filtered_and_private(app: FastAPI, sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    await make_model(ada, app)
    found = (await ada.get(f"{V1}/models", params={"name_contains": "PENG"})).json()["items"]
    assert [item["name"] for item in found] == ["penguins"]
    assert (await ada.get(f"{V1}/models", params={"name_contains": "%"})).json()["items"] == []
    assert (await bob.get(f"{V1}/models")).json()["items"] == []


def test_rollback_goes_back_over_what_was_not_taken_back_yet() -> None:
    moves: list[tuple[str, int | None]] = [("set", 1), ("set", 2), ("retraining", 3)]
    assert find_previous_version(moves) == 2
    assert find_previous_version([*moves, ("rollback", 2)]) == 1
    assert find_previous_version([*moves, ("rollback", 2), ("set", 4)]) == 2
    assert find_previous_version([*moves, ("rollback", 2), ("rollback", 1)]) is None
    assert find_previous_version([("set", 1), ("removed", None)]) == 1
    assert find_previous_version([("set", 1), ("removed", None), ("set", 2)]) is None
    assert find_previous_version([]) is None
