"""Lists of datasets and versions: sorted, filtered, paged."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import SignIn, upload_csv
from tests.projects.sharing import make_project, share
from tests.registry.registering import PENGUINS_KNN, V1, make_fit

TABLES = {"b": 5, "a": 5, "d": 3, "c": 40}


def _table(rows: int) -> bytes:
    return b"x,y\n" + b"".join(b"%d,%d\n" % (row, row * row) for row in range(rows))


async def _listed(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    """All pages, two at a time."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        params = {"limit": 2, **wanted, **cursor}
        answer = await client.get(f"{V1}/datasets", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", "abcd"),
        ("-name", "dcba"),
        ("created_at", "badc"),
        ("rows", "dbac"),
        ("-rows", "cabd"),
        ("bytes", "dbac"),
        ("updated_at", "adcb"),
        ("-updated_at", "bcda"),
    ],
)
async def test_datasets_are_sorted_over_pages(sign_in: SignIn, sort: str, names: str) -> None:
    ada = await sign_in("ada")
    paths = {}
    for name, rows in TABLES.items():
        made = await upload_csv(ada, _table(rows), f"{name}.csv")
        paths[name] = made.headers["location"]
    more = {"file": ("b.csv", _table(5), "text/csv")}
    assert (await ada.post(f"{paths['b']}/versions", files=more)).status_code == 201
    assert "".join(item["name"] for item in await _listed(ada, sort=sort)) == names


async def test_unknown_order_is_refused_with_those_known(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    answer = await ada.get(f"{V1}/datasets", params={"sort": "owner"})
    assert answer.status_code == 422
    assert "bytes, created_at, name, rows, updated_at" in answer.json()["detail"]


async def test_datasets_are_filtered_by_kind_and_maker(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("Bob")
    project = await make_project(ada)
    await share(ada, project, Bob="editor")
    for client, name in ((ada, "hers"), (bob, "his")):
        table = {"name": name, "project_id": project, "columns": {"x": [1, 2], "y": [2, 3]}}
        assert (await client.post(f"{V1}/datasets", json=table)).status_code == 201
    filters: dict[str, dict[str, Any]] = {
        "bob": {"created_by": "BOB"},
        "nobody": {"created_by": "nobody"},
        "tables": {"kind": "table"},
        "images": {"kind": "image"},
        "mine": {"mine": True},
        "both": {"created_by": "bob", "name_contains": "her"},
    }
    shown = {
        text: [item["name"] for item in await _listed(ada, sort="name", **wanted)]
        for text, wanted in filters.items()
    }
    assert shown == {
        "bob": ["his"],
        "nobody": [],
        "tables": ["hers", "his"],
        "images": [],
        "mine": ["hers"],
        "both": [],
    }
    answer = await ada.get(f"{V1}/datasets", params={"kind": "sound"})
    assert answer.json()["errors"][0]["loc"] == ["query", "kind"]


async def test_fits_are_counted_as_far_as_the_caller_reads_them(
    sign_in: SignIn, app: FastAPI
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    shared, private = await make_project(ada, "Shared"), await make_project(ada, "Private")
    await share(ada, shared, bob="viewer")
    made = (await upload_csv(ada)).json()
    path = f"{V1}/datasets/{made['id']}"
    fits = [await make_fit(ada, app, made["id"], **PENGUINS_KNN) for _ in range(3)]
    assert (await ada.patch(path, json={"project_id": shared})).status_code == 200
    for fit_id, project in zip(fits, (shared, shared, private), strict=True):
        moved = await ada.patch(f"{V1}/fits/{fit_id}", json={"project_id": project})
        assert moved.status_code == 200, moved.text
    assert (await ada.delete(f"{V1}/fits/{fits[0]}")).status_code == 204
    seen = await ada.get(path)
    assert seen.json()["fits"] == 2
    assert [item["fits"] for item in await _listed(bob)] == [1]
    # Somebody's new fit is no change of the dataset.
    changed = await ada.patch(path, json={"name": "x"}, headers={"If-Match": seen.headers["etag"]})
    assert changed.status_code == 200
    await make_fit(ada, app, made["id"], **PENGUINS_KNN)
    etag = {"If-Match": changed.headers["etag"]}
    assert (await ada.patch(path, json={"name": "y"}, headers=etag)).status_code == 200


async def test_versions_are_paged_from_the_latest(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada, _table(3))).headers["location"]
    for rows in (4, 5):
        files = {"file": ("t.csv", _table(rows), "text/csv")}
        assert (await ada.post(f"{path}/versions", files=files)).status_code == 201
    first = (await ada.get(f"{path}/versions", params={"limit": 2})).json()
    assert [item["version"] for item in first["items"]] == [3, 2]
    wanted = {"limit": 2, "cursor": first["next_cursor"]}
    last = (await ada.get(f"{path}/versions", params=wanted)).json()
    assert [item["version"] for item in last["items"]] == [1]
    assert last["next_cursor"] is None
    rising = (await ada.get(f"{path}/versions", params={"sort": "version"})).json()
    assert [item["rows"] for item in rising["items"]] == [3, 4, 5]
