"""Datasets in the trash: out of sight, restored, purged; champions keep their data."""

from typing import Any

import httpx
from fastapi import FastAPI

from backend.core.access import Role
from backend.storage.blobs import BlobStore
from tests.audit.events import the_event
from tests.conftest import SignIn
from tests.projects.sharing import make_project, refused, share
from tests.registry.registering import V1, make_model


async def _dataset(client: httpx.AsyncClient, number: int = 0, **sent: Any) -> dict[str, Any]:
    """A table that no other test has."""
    content = f"x,y\n{number},2\n3,4\n5,6\n".encode()
    files = {"file": ("sea.csv", content, "text/csv")}
    answer = await client.post(f"{V1}/datasets", files=files, data=sent)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _trashed(client: httpx.AsyncClient, number: int = 0, **sent: Any) -> dict[str, Any]:
    made = await _dataset(client, number, **sent)
    answer = await client.delete(f"{V1}/datasets/{made['id']}")
    assert answer.status_code == 204, answer.text
    return made


async def _names(client: httpx.AsyncClient, **wanted: Any) -> list[str]:
    answer = await client.get(f"{V1}/datasets", params=wanted)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def _keys(blobs: BlobStore) -> set[str]:
    return {digest for digest, _ in blobs.sizes()}


async def test_trashed_dataset_is_gone_until_it_is_restored(sign_in: SignIn) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    made = await _trashed(ada)
    path = f"{V1}/datasets/{made['id']}"
    for part in ("", "/versions", "/versions/1", "/versions/1/preview", "/versions/1/download"):
        assert (await ada.get(path + part)).status_code == 404
    assert await _names(ada) == []
    (listed,) = (await ada.get(f"{V1}/datasets", params={"trashed": True})).json()["items"]
    assert (listed["name"], listed["trashed_at"] is None) == ("sea", False)
    restored = await ada.post(f"{path}/restore")
    assert restored.json() == made
    assert restored.headers["etag"] == (await ada.get(path)).headers["etag"]
    assert await _names(ada, trashed=True) == []
    assert refused(await ada.post(f"{path}/restore")) == (409, "not_in_trash")
    event = await the_event(root, "dataset.restored")
    assert (event["object_id"], event["actor_name"]) == (made["id"], "ada")


async def test_trash_is_listed_for_those_who_may_restore(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    others = {name: await sign_in(name) for name in ("edith", "vera", "bob")}
    await share(ada, project, edith="editor", vera="viewer")
    made = await _trashed(ada, project_id=str(project))
    seen = {name: await _names(client, trashed=True) for name, client in others.items()}
    assert seen == {"edith": ["sea"], "vera": [], "bob": []}
    path = f"{V1}/datasets/{made['id']}"
    assert (await others["vera"].get(f"{path}/used-by")).status_code == 404
    assert (await others["vera"].post(f"{path}/restore")).status_code == 403
    assert (await others["bob"].post(f"{path}/restore")).status_code == 404
    assert (await others["edith"].get(f"{path}/used-by")).status_code == 200
    assert (await others["edith"].post(f"{path}/purge")).status_code == 403
    assert (await others["edith"].post(f"{path}/restore")).status_code == 200


async def test_dataset_of_a_champion_stays(sign_in: SignIn, app: FastAPI) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    shared, private = await make_project(ada, "Shared"), await make_project(ada, "Private")
    await share(ada, shared, bob="editor")
    model = await make_model(ada, app)
    dataset_id = (await ada.get(f"{V1}/fits/{model['fit_id']}")).json()["dataset_id"]
    path = f"{V1}/datasets/{dataset_id}"
    for thing, project in ((path, shared), (f"{V1}/models/{model['id']}", private)):
        assert (await ada.patch(thing, json={"project_id": project})).status_code == 200
    told = await ada.delete(path)
    assert refused(told) == (409, "champion_depends")
    assert "penguins" in told.json()["detail"]
    untold = await bob.delete(path)
    assert refused(untold) == (409, "champion_depends")
    assert "penguins" not in untold.json()["detail"]
    alias = f"{V1}/models/{model['id']}/aliases/champion"
    assert (await ada.delete(alias, params={"reason": "old"})).status_code == 204
    assert (await bob.delete(path)).status_code == 204
    # Now the other way round: what is in the trash makes no champion.
    again = await ada.put(alias, json={"version": 1, "reason": "after all"})
    assert refused(again) == (409, "data_in_trash")
    assert (await bob.post(f"{path}/restore")).status_code == 200
    again = await ada.put(alias, json={"version": 1, "reason": "after all"})
    assert again.status_code == 200


async def test_purge_frees_what_nothing_else_names(sign_in: SignIn, app: FastAPI) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    blobs = app.state.blobs
    twin, made = await _dataset(ada, 1), await _dataset(ada, 1)
    path = f"{V1}/datasets/{made['id']}"
    kept = _keys(blobs)
    original = (await ada.get(f"{path}/versions/1")).json()["sha256"]
    more = {"file": ("more.csv", b"only,here\n7,8\n9,10\n", "text/csv")}
    assert (await ada.post(f"{path}/versions", files=more)).status_code == 201
    sizes = dict(blobs.sizes())
    added = sum(size for key, size in sizes.items() if key not in kept)
    assert added > 0
    assert refused(await ada.post(f"{path}/purge")) == (409, "not_in_trash")
    assert (await ada.delete(path)).status_code == 204
    assert (await ada.get(f"{path}/used-by")).json()["frees_bytes"] == added
    purged = await ada.post(f"{path}/purge")
    assert (purged.status_code, purged.json()) == (200, {"freed_bytes": added})
    assert _keys(blobs) == kept
    download = await ada.get(f"{V1}/datasets/{twin['id']}/versions/1/download")
    assert download.status_code == 200
    for verb in ("purge", "restore"):
        assert (await ada.post(f"{path}/{verb}")).status_code == 404
    assert await _names(ada, trashed=True) == []
    event = await the_event(root, "dataset.purged")
    assert event["details"] == {"frees_bytes": added}
    # The twin's trash: now nothing else names them.
    assert (await ada.delete(f"{V1}/datasets/{twin['id']}")).status_code == 204
    assert (await ada.post(f"{V1}/datasets/{twin['id']}/purge")).status_code == 200
    assert original in kept
    assert original not in _keys(blobs)
