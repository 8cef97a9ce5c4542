"""Decisions about retrainings, schedules and jobs leave one row each."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.core.db import transaction
from backend.retraining import schedules
from backend.tables import RetrainingPolicy
from tests.audit.events import REQUEST_ID, events, the_event
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import PENGUINS_KNN, V1, make_fit, make_model
from tests.retraining.comparing import PENGUINS, finish_retraining, with_wrong_labels

JOBS = f"{V1}/operations/jobs"


@pytest.mark.parametrize(
    ("decision", "deed", "moves"),
    [("approve", "retraining.approved", 2), ("reject", "retraining.rejected", 1)],
)
async def test_decision_about_a_challenger_is_noted(
    app: FastAPI, sign_in: SignIn, decision: str, deed: str, moves: int
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    dataset = (await upload_csv(admin, with_wrong_labels(3))).json()
    fit_id = await make_fit(admin, app, dataset["id"], **PENGUINS_KNN)
    model = (await admin.post(f"{V1}/models", json={"name": "p", "fit_id": fit_id})).json()
    path = f"{V1}/models/{model['id']}"
    await admin.put(f"{path}/aliases/champion", json={"version": 1, "reason": "first"})
    started = await admin.post(
        f"{path}/retrain",
        files={"file": ("new.csv", PENGUINS.encode())},
        data={"require_approval": "true"},
    )
    await the_event(admin, "dataset.version_added", object_id=dataset["id"])
    retraining_id = started.json()["id"]
    ended = await finish_retraining(app, admin, retraining_id)
    assert ended["state"] == "waiting_for_approval"
    url = f"{V1}/retrainings/{retraining_id}/{decision}"
    assert (await admin.post(url, json={"reason": ""})).status_code == 422
    assert (await admin.post(url, json={"reason": "seen"}, headers=REQUEST_ID)).is_success
    assert (await admin.post(url, json={"reason": "again"})).status_code == 409
    event = await the_event(admin, deed)
    assert (event["object_type"], event["object_id"]) == ("retraining", retraining_id)
    assert event["details"] == {"model_id": model["id"], "reason": "seen"}
    assert event["request_id"] == REQUEST_ID["X-Request-ID"]
    champion = [
        item
        for item in await events(admin, action="model.alias_set")
        if item["details"]["alias"] == "champion"
    ]
    assert len(champion) == moves


async def test_cancelled_retraining_is_noted_with_its_fit(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    retraining = (await admin.post(f"{V1}/models/{model['id']}/retrain")).json()
    for status in (202, 409):
        answer = await admin.post(f"{V1}/retrainings/{retraining['id']}/cancel")
        assert answer.status_code == status
    event = await the_event(admin, "retraining.cancelled")
    assert (event["object_id"], event["project_id"]) == (retraining["id"], model["project_id"])
    await the_event(admin, "fit.cancelled", object_id=retraining["fit_id"])


async def test_schedule_and_what_it_starts_are_noted(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    path = f"{V1}/models/{model['id']}/retraining"
    version = (await admin.get(f"{V1}/models/{model['id']}/versions/1")).json()
    policy = {"dataset_id": version["dataset_id"], "schedule": "0 6 * * 1"}
    assert (await admin.put(path, json={**policy, "schedule": "never"})).status_code == 422
    assert (await admin.put(path, json=policy)).status_code == 200
    event = await the_event(admin, "retraining.policy_set")
    assert (event["object_type"], event["object_id"]) == ("model", model["id"])
    assert event["details"]["schedule"] == "0 6 * * 1"

    async with transaction(app.state.sessions) as session:
        past = datetime(2020, 1, 1, tzinfo=UTC)
        await session.execute(update(RetrainingPolicy).values(next_run_at=past))
    async with transaction(app.state.sessions) as session:
        assert await schedules.start_next_due(session)
    event = await the_event(admin, "retraining.started")
    assert (event["actor_name"], event["address"]) == ("root", None)
    assert event["details"]["trigger"] == "schedule"

    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404
    assert (await the_event(admin, "retraining.policy_removed"))["object_id"] == model["id"]
    # That a model has no schedule is no denial.
    assert await events(admin, action="access.denied") == []


async def _queued_fit(sign_in: SignIn) -> tuple[int, dict[str, Any]]:
    """A fit of ada's, and its job."""
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset, "target": "body_mass_g", "estimator": "ridge"}
    fit_id: int = (await ada.post(f"{V1}/fits", json=request)).json()["id"]
    items = (await admin.get(JOBS)).json()["items"]
    (job,) = [item for item in items if item["about"] == {"fit_id": fit_id}]
    return fit_id, job


async def test_job_tried_again_is_noted(
    sign_in: SignIn, sessions: async_sessionmaker[AsyncSession]
) -> None:
    fit_id, job = await _queued_fit(sign_in)
    admin = await sign_in("root", Role.ADMIN)
    assert (await admin.post(f"{JOBS}/{job['id']}/retry")).is_success
    assert await events(admin, action="job.retried") == []  # it waits already
    async with sessions() as session:
        failed = text("update pgqueuer set status = 'failed' where id = :id")
        await session.execute(failed, {"id": job["id"]})
        await session.commit()
    assert (await admin.post(f"{JOBS}/{job['id']}/retry")).is_success
    event = await the_event(admin, "job.retried")
    assert (event["object_type"], event["object_id"]) == ("job", job["id"])
    assert (event["object_name"], event["details"]) == ("fits.run", {"fit_id": fit_id})


async def test_cancelled_job_is_noted_with_its_fit(sign_in: SignIn) -> None:
    fit_id, job = await _queued_fit(sign_in)
    admin = await sign_in("root", Role.ADMIN)
    assert (await admin.post(f"{JOBS}/{job['id']}/cancel")).status_code == 204
    assert (await the_event(admin, "job.cancelled"))["object_id"] == job["id"]
    cancelled = await the_event(admin, "fit.cancelled", object_id=fit_id)
    assert cancelled["actor_name"] == "root"
