"""Retraining in projects that were archived, deleted, or whose data went elsewhere."""

from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select, update

from backend.core.access import Role
from backend.core.db import transaction
from backend.retraining import schedules
from backend.tables import Retraining, RetrainingPolicy
from tests.conftest import SignIn
from tests.projects.sharing import V1, make_project, refused
from tests.registry.registering import make_model


async def scheduled_model(admin: httpx.AsyncClient, app: FastAPI, project: int) -> dict[str, Any]:
    """A model with its data in a project of their own, to be retrained now."""
    model = await make_model(admin, app)
    version = (await admin.get(f"{V1}/models/{model['id']}/versions/1")).json()
    for path in (f"models/{model['id']}", f"datasets/{version['dataset_id']}"):
        moved = await admin.patch(f"{V1}/{path}", json={"project_id": project})
        assert moved.status_code == 200, moved.text
    body = {"dataset_id": version["dataset_id"], "schedule": "0 6 * * 1"}
    put = await admin.put(f"{V1}/models/{model['id']}/retraining", json=body)
    assert put.status_code == 200, put.text
    async with transaction(app.state.sessions) as session:
        past = datetime(2020, 1, 1, tzinfo=UTC)
        due = update(RetrainingPolicy).where(RetrainingPolicy.model_id == model["id"])
        await session.execute(due.values(next_run_at=past))
    return {**model, "dataset_id": version["dataset_id"]}


async def start_due(app: FastAPI) -> bool:
    async with transaction(app.state.sessions) as session:
        return await schedules.start_next_due(session)


async def test_a_schedule_in_an_archived_project_does_not_start_and_says_why(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    project = await make_project(admin)
    model = await scheduled_model(admin, app, project)
    await admin.patch(f"{V1}/projects/{project}", json={"archived": True})
    base = f"{V1}/models/{model['id']}"
    assert await start_due(app)
    assert "archived" in (await admin.get(f"{base}/retraining")).json()["last_problem"]
    assert (await admin.get(f"{V1}/retrainings")).json()["items"] == []
    assert refused(await admin.post(f"{base}/retrain")) == (409, "project_archived")
    assert refused(await admin.delete(f"{base}/retraining")) == (409, "project_archived")


async def test_a_schedule_in_a_deleted_project_is_never_due_and_what_ran_is_over(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    project = await make_project(admin)
    model = await scheduled_model(admin, app, project)
    started = await admin.post(f"{V1}/models/{model['id']}/retrain")
    assert started.status_code == 202, started.text
    assert (await admin.delete(f"{V1}/projects/{project}")).status_code == 204
    assert not await start_due(app)
    async with transaction(app.state.sessions) as session:
        statement = select(Retraining.state).where(Retraining.id == started.json()["id"])
        assert (await session.execute(statement)).scalar_one() == "cancelled"


async def test_a_schedule_goes_on_with_data_that_went_to_another_project(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    project, data = await make_project(admin, "Models"), await make_project(admin, "Data")
    model = await scheduled_model(admin, app, project)
    moved = await admin.patch(f"{V1}/datasets/{model['dataset_id']}", json={"project_id": data})
    assert moved.status_code == 200, moved.text
    assert await start_due(app)
    (run,) = (await admin.get(f"{V1}/retrainings?model_id={model['id']}")).json()["items"]
    assert (run["trigger"], run["state"]) == ("schedule", "queued")
    fit = (await admin.get(f"{V1}/fits/{run['fit_id']}")).json()
    assert (fit["project_id"], fit["dataset_id"]) == (project, model["dataset_id"])
    busy = await admin.patch(f"{V1}/models/{model['id']}", json={"project_id": data})
    assert refused(busy) == (409, "retraining_active")
