"""Where a dataset was used: what the caller may read, and how much else there is."""

from typing import Any

import httpx
from fastapi import FastAPI

from backend.core.access import Role
from tests.conftest import DATA, SignIn, upload_csv
from tests.projects.sharing import make_project, share
from tests.registry.registering import PENGUINS_KNN, V1, make_fit, make_model

KEYS = b"sex,code\nmale,1\nfemale,2\n"


async def _usage(client: httpx.AsyncClient, dataset_id: int, **wanted: Any) -> dict[str, Any]:
    answer = await client.get(f"{V1}/datasets/{dataset_id}/used-by", params=wanted)
    assert answer.status_code == 200, answer.text
    usage: dict[str, Any] = answer.json()
    return usage


async def _dataset_of(client: httpx.AsyncClient, fit_id: int) -> int:
    dataset_id: int = (await client.get(f"{V1}/fits/{fit_id}")).json()["dataset_id"]
    return dataset_id


async def test_fits_models_retrainings_and_policies_are_listed(
    sign_in: SignIn, app: FastAPI
) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app)
    dataset_id = await _dataset_of(ada, model["fit_id"])
    policy = {"dataset_id": dataset_id, "schedule": "0 6 * * 1"}
    set_up = await root.put(f"{V1}/models/{model['id']}/retraining", json=policy)
    assert set_up.status_code == 200, set_up.text
    retraining = (await root.post(f"{V1}/models/{model['id']}/retrain")).json()
    usage = await _usage(ada, dataset_id)
    shown = {(use["kind"], use["id"], use["version"], use["state"]) for use in usage["items"]}
    assert shown == {
        ("fit", model["fit_id"], 1, "succeeded"),
        ("fit", retraining["fit_id"], 1, "queued"),
        ("model_version", model["id"], 1, None),
        ("retraining", retraining["id"], 1, "queued"),
        ("retraining_policy", model["id"], 1, None),
    }
    (registered,) = [use for use in usage["items"] if use["kind"] == "model_version"]
    assert registered["aliases"] == ["champion"]
    assert (registered["name"], registered["made_version"]) == ("penguins", 1)
    assert registered["created_by"] == "ada"
    assert (usage["champions"], usage["hidden"], usage["unlisted"]) == (1, 0, 0)


async def test_uses_in_foreign_projects_are_counted_and_not_told(
    sign_in: SignIn, app: FastAPI
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    shared, private = await make_project(ada, "Shared"), await make_project(ada, "Private")
    await share(ada, shared, bob="editor")
    model = await make_model(ada, app)
    dataset_id = await _dataset_of(ada, model["fit_id"])
    for path, project in ((f"datasets/{dataset_id}", shared), (f"models/{model['id']}", private)):
        moved = await ada.patch(f"{V1}/{path}", json={"project_id": project})
        assert moved.status_code == 200, moved.text
    assert len((await _usage(ada, dataset_id))["items"]) == 2
    usage = await _usage(bob, dataset_id)
    assert usage["items"] == []
    assert (usage["hidden"], usage["champions"]) == (2, 1)
    assert (await ada.delete(f"{V1}/projects/{private}")).status_code == 204
    usage = await _usage(bob, dataset_id)
    assert (usage["hidden"], usage["champions"]) == (0, 0)


async def test_one_version_has_its_own_uses(sign_in: SignIn, app: FastAPI) -> None:
    ada = await sign_in("ada")
    first = await make_fit(ada, app)
    dataset_id = await _dataset_of(ada, first)
    path = f"{V1}/datasets/{dataset_id}/versions"
    files = {"file": ("penguins.csv", (DATA / "penguins.csv").read_bytes(), "text/csv")}
    assert (await ada.post(path, files=files)).status_code == 201
    second = await make_fit(ada, app, dataset_id, **PENGUINS_KNN)
    for version, fit_id in ((1, first), (2, second)):
        uses = (await _usage(ada, dataset_id, version=version))["items"]
        assert [(use["id"], use["version"]) for use in uses] == [(fit_id, version)]
    answer = await ada.get(f"{V1}/datasets/{dataset_id}/used-by", params={"version": 3})
    assert (answer.status_code, answer.json()["detail"]) == (404, "This dataset has no version 3.")


async def test_dataset_that_joined_it_is_listed(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    codes = (await upload_csv(ada, KEYS, "codes.csv")).json()["id"]
    penguins = (await upload_csv(ada)).json()["id"]
    step = {"kind": "join", "dataset_id": codes, "version": 1, "on": {"sex": "sex"}}
    path = f"{V1}/datasets/{penguins}/versions/1/recipe"
    joined = await ada.post(path, json={"steps": [step]})
    assert joined.status_code == 201, joined.text
    (use,) = (await _usage(ada, codes))["items"]
    assert (use["kind"], use["id"], use["version"]) == ("dataset", penguins, 1)
    assert use["made_version"] == 2
    assert (await _usage(ada, penguins))["items"] == []


async def test_shared_content_is_not_freed(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    twins = [(await upload_csv(ada)).json()["id"] for _ in range(2)]
    own = (await upload_csv(ada, KEYS)).json()["id"]
    usage = await _usage(ada, own)
    assert usage["frees_bytes"] == usage["total_bytes"] > len(KEYS)
    for twin in twins:
        usage = await _usage(ada, twin)
        # What a profile says depends on the content alone, so it is shared, too.
        assert usage["frees_bytes"] == 0
        assert usage["total_bytes"] > 10_000
