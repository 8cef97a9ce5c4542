"""Retraining by the clock: a moment fires once, and what cannot start says why."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from backend.core.access import Role
from backend.core.db import transaction
from backend.retraining import schedules
from backend.tables import RetrainingPolicy, User
from tests.conftest import SignIn
from tests.registry.registering import V1, make_model


async def _policy(admin: httpx.AsyncClient, model_id: int, **changes: object) -> httpx.Response:
    version = (await admin.get(f"{V1}/models/{model_id}/versions/1")).json()
    body = {"dataset_id": version["dataset_id"], "schedule": "0 6 * * 1", **changes}
    return await admin.put(f"{V1}/models/{model_id}/retraining", json=body)


async def _make_due(app: FastAPI) -> None:
    async with transaction(app.state.sessions) as session:
        past = datetime(2020, 1, 1, tzinfo=UTC)
        await session.execute(update(RetrainingPolicy).values(next_run_at=past))


async def _start_due(app: FastAPI) -> int:
    started = 0
    while True:
        async with transaction(app.state.sessions) as session:
            if not await schedules.start_next_due(session):
                return started
        started += 1


def test_cron_runs_on_the_clock_of_its_zone() -> None:
    after = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the night before summer time begins
    runs = schedules.next_runs("0 6 * * *", "Europe/Vienna", after, count=2)
    assert [run.astimezone(UTC).hour for run in runs] == [4, 4]
    winter = schedules.next_runs("0 6 * * *", "Europe/Vienna", datetime(2026, 1, 1, tzinfo=UTC))
    assert winter[0].astimezone(UTC).hour == 5


async def test_due_moment_fires_once_and_moves_on(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    policy = (await _policy(admin, model["id"])).json()
    assert len(policy["next_runs"]) == 3
    await _make_due(app)
    assert await _start_due(app) == 1
    assert await _start_due(app) == 0
    runs = (await admin.get(f"{V1}/retrainings?model_id={model['id']}")).json()["items"]
    assert [(run["trigger"], run["state"]) for run in runs] == [("schedule", "queued")]


async def test_due_moment_that_cannot_start_says_why(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    await _policy(admin, model["id"])
    await admin.post(f"{V1}/models/{model['id']}/retrain")
    await _make_due(app)
    assert await _start_due(app) == 1
    problem = (await admin.get(f"{V1}/models/{model['id']}/retraining")).json()["last_problem"]
    assert "is not finished" in problem
    runs = (await admin.get(f"{V1}/retrainings")).json()["items"]
    assert len(runs) == 1


async def test_schedule_of_somebody_who_lost_the_role_starts_nothing(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin, other = await sign_in("root", Role.ADMIN), await sign_in("eve", Role.ADMIN)
    model = await make_model(admin, app)
    await _policy(other, model["id"])
    await _make_due(app)
    async with transaction(app.state.sessions) as session:
        await session.execute(update(User).where(User.username == "eve").values(role="member"))
    await _start_due(app)
    answer = (await admin.get(f"{V1}/models/{model['id']}/retraining")).json()
    assert "no administrator" in answer["last_problem"]
    assert (await admin.get(f"{V1}/retrainings")).json()["items"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule", "whenever"),
        ("schedule", "* * * * * *"),
        ("schedule", "61 * * * *"),
        ("timezone", "Mars/Olympus"),
        ("minimum_gain", -0.1),
        ("metric", "r2"),
        ("dataset_id", 0),
    ],
)
async def test_bad_policy_is_refused_by_field(
    app: FastAPI, sign_in: SignIn, field: str, value: object
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    answer = await _policy(admin, model["id"], **{field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", field]


async def test_removed_policy_is_gone(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    await _policy(admin, model["id"])
    url = f"{V1}/models/{model['id']}/retraining"
    assert (await admin.delete(url)).status_code == 204
    assert (await admin.get(url)).status_code == 404
    assert (await admin.delete(url)).status_code == 404


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "R * * * *", "H 6 * * *", "0 0 31 4 *"])
async def test_schedule_that_never_or_randomly_happens_is_refused(
    app: FastAPI, sign_in: SignIn, schedule: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model = await make_model(admin, app)
    answer = await _policy(admin, model["id"], schedule=schedule)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["loc"] == ["body", "schedule"]


def test_hour_that_comes_twice_fires_once() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)  # the night after, summer time ends
    first = schedules.next_runs("30 2 * * *", "Europe/Vienna", before)[0]
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = schedules.next_runs("30 2 * * *", "Europe/Vienna", first)[0]
    assert second == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
