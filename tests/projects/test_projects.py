"""Projects over HTTP: make, read, change, archive, delete."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.tables import AuditEvent
from tests.conftest import SignIn, upload_csv
from tests.projects.sharing import V1, make_project, personal, refused, share
from tests.registry.registering import PENGUINS_KNN, make_model

Sessions = async_sessionmaker[AsyncSession]


async def test_owner_makes_renames_and_describes_a_project(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await ada.post(f"{V1}/projects", json={"name": "Größen", "description": "of birds"})
    assert made.status_code == 201, made.text
    project = made.json()
    assert made.headers["Location"] == f"{V1}/projects/{project['id']}"
    slug = f"groen-p{project['id']}"
    assert (project["slug"], project["my_role"], project["members"]) == (slug, "owner", 1)
    url = made.headers["Location"]
    stale = await ada.patch(url, json={"name": "x"}, headers={"If-Match": '"other"'})
    assert stale.status_code == 412
    headers = {"If-Match": made.headers["ETag"]}
    changed = await ada.patch(url, json={"name": "Sizes"}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["slug"]) == ("Sizes", slug)
    assert (await ada.get(url)).headers["ETag"] == changed.headers["ETag"]


async def test_same_idempotency_key_makes_one_project(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    headers = {"Idempotency-Key": "once"}
    ids = {
        (await ada.post(f"{V1}/projects", json={"name": "P"}, headers=headers)).json()["id"]
        for _ in range(2)
    }
    assert len(ids) == 1


async def test_a_slug_is_ones_own_and_tells_nothing_of_other_projects(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    slugs = set()
    for client, name in ((ada, "Birds"), (ben, "BIRDS"), (ben, "birds")):
        project = (await client.post(f"{V1}/projects", json={"name": name})).json()
        assert project["slug"] == f"birds-p{project['id']}"
        slugs.add(project["slug"])
    assert len(slugs) == 3


async def test_a_name_taken_for_a_slug_keeps_nobody_from_a_personal_project(
    sign_in: SignIn,
) -> None:
    ada = await sign_in("ada")
    number = (await ada.get(f"{V1}/users/me")).json()["id"]
    for ahead in range(1, 5):
        await make_project(ada, f"ben {number + ahead}")
    ben = await sign_in("ben")
    assert (await personal(ben))["my_role"] == "owner"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x", "personal": True}, "personal"),
        ({"name": "x", "slug": "y"}, "slug"),
        ({"name": "x", "created_by": 1}, "created_by"),
        ({}, "name"),
    ],
)
async def test_a_project_with_a_bad_field_is_refused(
    sign_in: SignIn, body: dict[str, object], field: str
) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(f"{V1}/projects", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", field]


async def test_lists_are_filtered_and_sorted(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    birds, fish = await make_project(ada, "Birds"), await make_project(ada, "Fish")
    await ada.patch(f"{V1}/projects/{fish}", json={"archived": True})

    async def ids(client: httpx.AsyncClient, **query: str | bool) -> list[int]:
        answer = await client.get(f"{V1}/projects", params={"sort": "name", **query})
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["items"]]

    own = (await personal(ada))["id"]
    assert await ids(ada) == [birds, fish, own]
    assert await ids(ada, sort="-name") == [own, fish, birds]
    assert await ids(ada, archived=True) == [fish]
    assert await ids(ada, archived=False, name_contains="IRD") == [birds]
    root = await sign_in("root", Role.ADMIN)
    assert await ids(root, mine=True) == [(await personal(root))["id"]]
    assert {birds, fish, own} < set(await ids(root))
    assert (await ada.get(f"{V1}/projects", params={"sort": "slug"})).status_code == 422


async def test_a_page_counts_what_is_in_its_projects_in_as_many_statements_as_one_project(
    app: FastAPI, sign_in: SignIn, engine: AsyncEngine
) -> None:
    ada = await sign_in("ada")
    await make_model(ada, app)
    await upload_csv(ada)
    project = await personal(ada)
    counts = {key: project[key] for key in ("members", "datasets", "fits", "models")}
    assert counts == {"members": 1, "datasets": 2, "fits": 1, "models": 1}
    told: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: told.append(args[2]))
    numbers = []
    for _ in range(2):
        told.clear()
        assert (await ada.get(f"{V1}/projects")).status_code == 200
        numbers.append(len(told))
        for name in ("a", "b", "c"):
            await make_project(ada, name)
    assert numbers[0] == numbers[1]


async def test_an_archived_project_is_read_and_not_changed(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    url = f"{V1}/projects/{(project := await make_project(ada))}"
    dataset = (await upload_csv(ada)).json()["id"]
    moved = await ada.patch(f"{V1}/datasets/{dataset}", json={"project_id": project})
    assert moved.status_code == 200, moved.text
    request = {"dataset_id": dataset, **PENGUINS_KNN}
    fit = (await ada.post(f"{V1}/fits", json=request)).json()["id"]
    assert (await ada.patch(url, json={"archived": True})).json()["archived"] is True
    csv = {"file": ("a.csv", b"a,b\n1,2\n", "text/csv")}
    recipe = {"steps": [{"op": "drop_columns", "columns": ["year"]}]}
    tries = [
        await ada.post(f"{V1}/datasets", files=csv, data={"project_id": str(project)}),
        await ada.post(f"{V1}/datasets/{dataset}/versions", files=csv),
        await ada.post(f"{V1}/datasets/{dataset}/recipes", json=recipe),
        await ada.patch(f"{V1}/datasets/{dataset}", json={"name": "x"}),
        await ada.delete(f"{V1}/datasets/{dataset}"),
        await ada.post(f"{V1}/fits", json=request),
        await ada.post(f"{V1}/fits/{fit}/rerun"),
        await ada.patch(f"{V1}/fits/{fit}", json={"name": "x"}),
        await ada.delete(f"{V1}/fits/{fit}"),
        await ada.patch(url, json={"name": "x"}),
    ]
    assert {refused(answer) for answer in tries[3:]} == {(409, "project_archived")}
    assert {answer.status_code for answer in tries[:3]} <= {409, 404, 422}
    assert refused(tries[0]) == refused(tries[1]) == (409, "project_archived")
    assert (await ada.get(f"{V1}/fits/{fit}")).json()["state"] == "queued"
    cancelled = await ada.post(f"{V1}/fits/{fit}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    opened = await ada.patch(url, json={"archived": False, "name": "Open"})
    assert (opened.json()["archived"], opened.json()["name"]) == (False, "Open")
    assert (await ada.patch(f"{V1}/fits/{fit}", json={"name": "x"})).status_code == 200


async def test_a_model_in_an_archived_project_predicts_and_stays_as_it_is(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    project = await make_project(ada)
    base = f"{V1}/models/{model['id']}"
    assert (await ada.patch(base, json={"project_id": project})).status_code == 200
    await ada.patch(f"{V1}/projects/{project}", json={"archived": True})
    reason = {"reason": "r"}
    for answer in (
        await ada.patch(base, json={"name": "x"}),
        await ada.delete(base),
        await ada.post(f"{base}/versions", json={"fit_id": model["fit_id"]}),
        await ada.put(f"{base}/aliases/champion", json={"version": 1, **reason}),
        await ada.delete(f"{base}/aliases/champion", params=reason),
        await ada.post(f"{base}/rollback", json=reason),
        await ada.post(f"{V1}/models", json={"name": "y", "fit_id": model["fit_id"]}),
    ):
        assert refused(answer) == (409, "project_archived")
    rows = {"rows": [{"bill_length_mm": 39.1, "flipper_length_mm": 181}]}
    assert (await ada.post(f"{base}/predict", json=rows)).status_code == 200


async def test_a_personal_project_stays_with_its_person(sign_in: SignIn) -> None:
    ada, _ben = await sign_in("ada"), await sign_in("ben")
    url = f"{V1}/projects/{(await personal(ada))['id']}"
    for answer in (
        await ada.patch(url, json={"archived": True}),
        await ada.delete(url),
        await ada.delete(f"{url}/members/ada"),
        await ada.put(f"{url}/members/ada", json={"role": "editor"}),
        await ada.put(f"{url}/members/ben", json={"role": "owner"}),
        await ada.post(f"{url}/transfer", json={"username": "ben"}),
    ):
        assert refused(answer) == (409, "personal_project")
    assert (await ada.put(f"{url}/members/ben", json={"role": "editor"})).status_code == 200


async def test_what_is_in_a_project_in_the_trash_is_nowhere(app: FastAPI, sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    root = await sign_in("root", Role.ADMIN)
    model = await make_model(ada, app)
    fit = await ada.get(f"{V1}/fits/{model['fit_id']}")
    dataset = fit.json()["dataset_id"]
    project = await make_project(ada)
    await share(ada, project, ben="editor")
    for path in (f"models/{model['id']}", f"datasets/{dataset}"):
        moved = await ada.patch(f"{V1}/{path}", json={"project_id": project})
        assert moved.status_code == 200, moved.text
    request = {"dataset_id": dataset, **PENGUINS_KNN}
    running = (await ben.post(f"{V1}/fits", json=request)).json()["id"]
    paths = [
        f"{V1}/projects/{project}",
        f"{V1}/projects/{project}/members",
        f"{V1}/datasets/{dataset}",
        f"{V1}/datasets/{dataset}/versions/1/preview",
        f"{V1}/fits/{model['fit_id']}",
        f"{V1}/fits/{running}",
        f"{V1}/models/{model['id']}",
        f"{V1}/models/{model['id']}/versions",
    ]
    assert {(await ben.get(path)).status_code for path in paths} == {200}
    assert refused(await ben.delete(paths[0])) == (403, "forbidden")
    assert (await ada.delete(paths[0])).status_code == 204
    for client in (ada, ben, root):
        assert {(await client.get(path)).status_code for path in paths} == {404}
        for kind in ("projects", "datasets", "fits", "models"):
            listed = (await client.get(f"{V1}/{kind}", params={"limit": 200})).json()["items"]
            assert all(row.get("project_id", row["id"]) != project for row in listed)


async def test_each_deed_is_in_the_audit(sign_in: SignIn, sessions: Sessions) -> None:
    ada, _ben = await sign_in("ada"), await sign_in("ben")
    url = f"{V1}/projects/{(project := await make_project(ada))}"
    await share(ada, project, ben="viewer")
    await share(ada, project, ben="viewer")
    await share(ada, project, ben="editor")
    await ada.patch(url, json={"name": "New"})
    for archived in (True, True, False):
        await ada.patch(url, json={"archived": archived})
    await ada.delete(f"{url}/members/ben")
    await ada.post(f"{url}/transfer", json={"username": "ben"})
    await share(await sign_in("ben"), project, ada="owner")
    await ada.delete(url)
    async with sessions() as session:
        events = (
            await session.execute(
                select(AuditEvent)
                .where(AuditEvent.project_id == project, AuditEvent.object_type == "project")
                .order_by(AuditEvent.id)
            )
        ).scalars()
        told = [(event.action, event.actor_name, event.details) for event in events]
    assert [action for action, _, _ in told] == [
        "project.created",
        "project.member_set",
        "project.member_set",
        "project.updated",
        "project.archived",
        "project.unarchived",
        "project.member_removed",
        "project.transferred",
        "project.member_set",
        "project.trashed",
    ]
    assert told[2][2] == {"username": "ben", "role": "editor", "before": "viewer"}
    assert (told[8][1], told[7][2]) == ("ben", {"to": "ben"})
