"""Datasets, fits and models go from one project to another."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.tables import AuditEvent, Fit
from tests.conftest import SignIn, upload_csv
from tests.projects.sharing import V1, make_project, personal, refused, share
from tests.registry.registering import PENGUINS_KNN, make_fit, make_model

Sessions = async_sessionmaker[AsyncSession]


async def move(client: httpx.AsyncClient, path: str, project: int, **more: Any) -> httpx.Response:
    return await client.patch(f"{V1}/{path}", json={"project_id": project, **more})


async def project_of(client: httpx.AsyncClient, path: str) -> int:
    found: int = (await client.get(f"{V1}/{path}")).json()["project_id"]
    return found


async def test_a_dataset_moves_alone_and_its_fits_keep_the_lineage(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada, ben, cleo = [await sign_in(name) for name in ("ada", "ben", "cleo")]
    model = await make_model(ada, app)
    source, target = await make_project(ada, "Fits"), await make_project(ada, "Data")
    await share(ada, source, ben="editor")
    await share(ada, target, cleo="viewer")
    assert (await move(ada, f"models/{model['id']}", source)).status_code == 200
    fit = f"fits/{model['fit_id']}"
    dataset = (await ada.get(f"{V1}/{fit}")).json()["dataset_id"]
    moved = await move(ada, f"datasets/{dataset}", target, name="Renamed")
    assert (moved.status_code, moved.json()["project_id"]) == (200, target)
    assert moved.json()["name"] == "Renamed"
    assert await project_of(ada, fit) == source
    lineage = (await ben.get(f"{V1}/{fit}")).json()
    assert (lineage["dataset_id"], lineage["dataset_name"], lineage["version"]) == (
        dataset,
        "Renamed",
        1,
    )
    version = (await ben.get(f"{V1}/models/{model['id']}/versions/1")).json()
    assert version["dataset_id"] == dataset
    digest = moved.json()["content_digest"]
    assert digest == version["dataset_digest"] == lineage["dataset_digest"]
    base = f"{V1}/datasets/{dataset}"
    hidden = (base, f"{base}/versions", f"{base}/versions/1/preview", f"{base}/versions/1/download")
    assert {(await ben.get(path)).status_code for path in hidden} == {404}
    assert (await ben.post(f"{V1}/{fit}/rerun")).status_code == 404
    assert {(await cleo.get(path)).status_code for path in hidden} == {200}
    assert (await cleo.get(f"{V1}/{fit}")).status_code == 404


async def test_only_who_owns_both_projects_moves(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    dataset = (await upload_csv(ben)).json()["id"]
    path, own = f"datasets/{dataset}", (await personal(ben))["id"]
    project = await make_project(ada)
    hidden, absent = await move(ben, path, project), await move(ben, path, 999_999)
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["detail"] == absent.json()["detail"]
    await share(ada, project, ben="editor")
    assert (await move(ben, path, project)).status_code == 403
    await share(ada, project, ben="owner")
    assert (await move(ben, path, project)).status_code == 200
    await share(ada, project, ben="editor")
    assert (await move(ben, path, own)).status_code == 403
    archived = await make_project(ada, "Old")
    await ada.patch(f"{V1}/projects/{archived}", json={"archived": True})
    assert refused(await move(ada, path, archived)) == (409, "project_archived")
    assert await project_of(ada, path) == project
    for bad in (0, -1, True, "x", 2**70):
        assert (await ada.patch(f"{V1}/{path}", json={"project_id": bad})).status_code == 422


async def test_a_finished_fit_moves_and_waits_for_its_new_record(
    app: FastAPI, sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    fit_id = await make_fit(ada, app)
    async with sessions() as session:
        fit = await session.get_one(Fit, fit_id)
        fit.tracking, fit.mlflow_run_id, fit.mlflow_experiment_id = "recorded", "r", "1"
        await session.execute(text("delete from pgqueuer"))
        await session.commit()
    moved = await move(ada, f"fits/{fit_id}", project)
    assert moved.status_code == 200, moved.text
    shown = moved.json()
    assert (shown["project_id"], shown["tracking"]) == (project, "pending")
    assert shown["mlflow_url"] is None
    async with sessions() as session:
        jobs = await session.execute(text("select dedupe_key from pgqueuer"))
        assert jobs.scalars().all() == [f"fits.track:{fit_id}"]
        statement = select(AuditEvent.details).where(AuditEvent.action == "fit.moved")
        (details,) = (await session.execute(statement)).scalars()
    assert details == {"from": (await personal(ada))["id"], "to": project}
    again = await move(ada, f"fits/{fit_id}", project)
    assert again.headers["ETag"] == moved.headers["ETag"]


async def test_an_unfinished_fit_stays(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    dataset = (await upload_csv(ada)).json()["id"]
    started = await ada.post(f"{V1}/fits", json={"dataset_id": dataset, **PENGUINS_KNN})
    path = f"fits/{started.json()['id']}"
    answer = await move(ada, path, project, name="both or none")
    assert refused(answer) == (409, "fit_unfinished")
    shown = (await ada.get(f"{V1}/{path}")).json()
    assert shown["name"] == started.json()["name"]


async def test_a_model_takes_its_fits_along_and_they_do_not_go_without_it(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    model = await make_model(ada, app)
    path, fits = f"models/{model['id']}", [model["fit_id"], await make_fit(ada, app)]
    await ada.post(f"{V1}/{path}/versions", json={"fit_id": fits[1]})
    project = await make_project(ada)
    await share(ada, project, ben="viewer")
    assert refused(await move(ada, f"fits/{fits[0]}", project)) == (409, "part_of_model")
    # In the trash it is still a version, and its files go along.
    assert (await ada.delete(f"{V1}/fits/{fits[1]}")).status_code == 204
    moved = await move(ada, path, project)
    assert moved.status_code == 200, moved.text
    shown = moved.json()
    assert (shown["project_id"], shown["mirror"]) == (project, "pending")
    assert shown["mlflow_name"] == model["mlflow_name"]
    assert await project_of(ben, path) == await project_of(ben, f"fits/{fits[0]}") == project
    assert (
        await ada.patch(f"{V1}/{path}", json={}, headers={"If-Match": '"x"'})
    ).status_code == 412


@pytest.mark.parametrize("renamed", [None, "Free"])
async def test_a_name_that_is_taken_in_the_other_project_keeps_a_model_out(
    app: FastAPI, sign_in: SignIn, renamed: str | None
) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    there = await make_model(ada, app, name="PENGUINS", promote=False)
    assert (await move(ada, f"models/{there['id']}", project)).status_code == 200
    here = await make_model(ada, app, name="penguins", promote=False)
    more = {} if renamed is None else {"name": renamed}
    answer = await move(ada, f"models/{here['id']}", project, **more)
    if renamed is None:
        assert refused(answer) == (409, "name_taken")
        assert await project_of(ada, f"fits/{here['fit_id']}") == (await personal(ada))["id"]
    else:
        assert (answer.status_code, answer.json()["name"]) == (200, renamed)


async def test_a_fit_of_two_models_keeps_both(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    model = await make_model(ada, app)
    body = {"name": "other", "fit_id": model["fit_id"]}
    other = (await ada.post(f"{V1}/models", json=body)).json()["id"]
    assert refused(await move(ada, f"models/{other}", project)) == (409, "part_of_model")
    assert (await ada.delete(f"{V1}/models/{other}")).status_code == 204
    assert (await move(ada, f"models/{model['id']}", project)).status_code == 200
