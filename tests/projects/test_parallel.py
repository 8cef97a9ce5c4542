"""The rules of sharing while several people act at once, over connections of their own."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pgqueuer.domain.errors import RetryRequested
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.db import transaction
from backend.fits import moving
from backend.fits.recording import prepare_record, require_unmoved
from backend.fits.service import writable_fit
from backend.jobs.children import ChildProcesses
from backend.jobs.registry import WorkerContext
from backend.settings import Settings
from backend.storage.blobs import BlobStore
from backend.tables import User
from tests.conftest import Person, upload_csv, viewer_of
from tests.projects.sharing import V1, make_project, members, personal, share
from tests.registry.registering import PENGUINS_KNN, make_fit


async def test_of_owners_who_leave_at_once_one_stays(person: Person) -> None:
    owners = {name: await person(name) for name in ("ada", "ben", "cleo", "dora")}
    for _ in range(5):
        project = await make_project(owners["ada"])
        await share(owners["ada"], project, ben="owner", cleo="owner", dora="owner")
        url = f"{V1}/projects/{project}/members"
        answers = await asyncio.gather(
            *(client.delete(f"{url}/{name}") for name, client in owners.items())
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [204, 204, 204, 409]
        (kept,) = [
            name
            for (name, _), answer in zip(owners.items(), answers, strict=True)
            if answer.status_code == 409
        ]
        assert await members(owners[kept], project) == {kept: "owner"}


async def test_of_owners_who_put_each_other_down_one_stays(person: Person) -> None:
    ada, ben = await person("ada"), await person("ben")
    for _ in range(5):
        project = await make_project(ada)
        await share(ada, project, ben="owner")
        url = f"{V1}/projects/{project}/members"
        down = {"role": "viewer"}
        answers = await asyncio.gather(
            ada.put(f"{url}/ben", json=down), ben.put(f"{url}/ada", json=down)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 403]
        assert sorted((await members(ada, project)).values()) == ["owner", "viewer"]


async def test_parallel_requests_make_one_personal_project_and_one_of_each_slug(
    person: Person,
) -> None:
    eve = await person("eve")
    listed = await asyncio.gather(*(eve.get(f"{V1}/projects") for _ in range(8)))
    assert {len(answer.json()["items"]) for answer in listed} == {1}
    made = await asyncio.gather(
        *(eve.post(f"{V1}/projects", json={"name": "Same"}) for _ in range(8))
    )
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["slug"] for answer in made}) == 8
    assert (await personal(eve))["my_role"] == "owner"


async def test_fits_and_moves_while_the_project_goes_to_the_trash_never_fail_or_stay(
    person: Person,
) -> None:
    ada = await person("ada")
    for _ in range(3):
        project, other = await make_project(ada), await make_project(ada)
        dataset = (await upload_csv(ada)).json()["id"]
        path = f"{V1}/datasets/{dataset}"
        moved = await ada.patch(path, json={"project_id": project})
        assert moved.status_code == 200, moved.text
        body = {"dataset_id": dataset, **PENGUINS_KNN}
        fit = (await ada.post(f"{V1}/fits", json=body)).json()["id"]
        answers = await asyncio.gather(
            ada.delete(f"{V1}/projects/{project}"),
            ada.post(f"{V1}/fits", json=body),
            ada.post(f"{V1}/fits/{fit}/cancel"),
            ada.patch(path, json={"project_id": other}),
        )
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == 204
        assert {*statuses[1:]} <= {200, 202, 404, 409}, statuses
        assert (await ada.get(f"{V1}/fits/{fit}")).status_code == 404


async def _viewer(session: AsyncSession) -> Viewer:
    return viewer_of(
        (await session.execute(select(User).where(User.username == "ada"))).scalar_one()
    )


async def test_a_fit_that_is_being_moved_is_registered_where_it_goes_or_not_at_all(
    person: Person, real: FastAPI
) -> None:
    ada = await person("ada")
    dataset = (await upload_csv(ada)).json()["id"]
    served, moved, other = [await make_fit(ada, real, dataset) for _ in range(3)]
    target = await make_project(ada, "Private")
    body = {"name": "served", "fit_id": served}
    model = (await ada.post(f"{V1}/models", json=body)).json()
    versions = f"{V1}/models/{model['id']}/versions"

    async def while_it_moves(fit_id: int, path: str, **body: object) -> httpx.Response:
        async with transaction(real.state.sessions) as session:
            viewer = await _viewer(session)
            fit = await writable_fit(session, viewer, fit_id)
            await moving.move_fit(session, viewer, fit, target)
            asking = asyncio.create_task(ada.post(path, json={"fit_id": fit_id, **body}))
            done, _ = await asyncio.wait({asking}, timeout=1)
            assert not done
        return await asking

    made = await while_it_moves(moved, f"{V1}/models", name="late")
    assert (made.status_code, made.json()["project_id"]) == (201, target)
    added = await while_it_moves(other, versions)
    assert added.status_code == 422
    assert len((await ada.get(versions)).json()["items"]) == 1


async def test_what_was_recorded_while_its_fit_was_moved_does_not_count(
    person: Person, real: FastAPI, committed: Settings, tmp_path: Path
) -> None:
    ada = await person("ada")
    fit_id, target = await make_fit(ada, real), await make_project(ada)
    sessions = real.state.sessions
    blobs = BlobStore(committed.files_url)
    context = WorkerContext(committed, sessions, blobs, ChildProcesses(()))
    prepared = await prepare_record(context, fit_id, tmp_path)
    assert prepared is not None

    async def finish() -> None:
        async with transaction(sessions) as session:
            await require_unmoved(session, fit_id, prepared)

    await finish()
    async with transaction(sessions) as session:
        viewer = await _viewer(session)
        await moving.move_fit(session, viewer, await writable_fit(session, viewer, fit_id), target)
        finishing = asyncio.create_task(finish())
        done, _ = await asyncio.wait({finishing}, timeout=1)
        assert not done
    with pytest.raises(RetryRequested, match="moved meanwhile"):
        await finishing
    with pytest.raises(RetryRequested, match="not withdrawn yet"):
        await prepare_record(context, fit_id, tmp_path)


async def test_models_registered_and_moved_at_once_stay_with_their_fits(
    person: Person, real: FastAPI
) -> None:
    ada = await person("ada")
    dataset = (await upload_csv(ada)).json()["id"]
    for number in range(4):
        fits = [await make_fit(ada, real, dataset) for _ in range(2)]
        target = await make_project(ada)
        body = {"name": f"first {number}", "fit_id": fits[0]}
        model = (await ada.post(f"{V1}/models", json=body)).json()["id"]
        answers = await asyncio.gather(
            ada.patch(f"{V1}/models/{model}", json={"project_id": target}),
            ada.post(f"{V1}/models", json={"name": f"second {number}", "fit_id": fits[0]}),
            ada.post(f"{V1}/models/{model}/versions", json={"fit_id": fits[1]}),
            ada.patch(f"{V1}/fits/{fits[1]}", json={"project_id": target}),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 409, 422}
        for listed in (await ada.get(f"{V1}/models")).json()["items"]:
            of_model = f"{V1}/models/{listed['id']}/versions"
            for version in (await ada.get(of_model)).json()["items"]:
                fit = (await ada.get(f"{V1}/fits/{version['fit_id']}")).json()
                assert fit["project_id"] == listed["project_id"]
