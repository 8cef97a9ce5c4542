"""What administrators see of jobs and parts, and what they do about them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from tests.conftest import SignIn, upload_csv

JOBS = "/api/v1/operations/jobs"
Change = Callable[..., Awaitable[None]]


@pytest.fixture
def change(sessions: async_sessionmaker[AsyncSession]) -> Change:
    """Puts a job into a state that takes a worker or time to reach."""

    async def apply(job_id: int, assignment: str) -> None:
        async with sessions() as session:
            statement = text(f"update pgqueuer set {assignment} where id = :id")  # noqa: S608  # from this file
            await session.execute(statement, {"id": job_id})
            await session.commit()

    return apply


async def start_fit(client: httpx.AsyncClient, request_id: str = "a-request-id") -> int:
    dataset = (await upload_csv(client)).json()["id"]
    request = {"dataset_id": dataset, "target": "body_mass_g", "estimator": "ridge"}
    answer = await client.post("/api/v1/fits", json=request, headers={"X-Request-ID": request_id})
    fit_id: int = answer.json()["id"]
    return fit_id


async def job_about(admin: httpx.AsyncClient, fit_id: int) -> dict[str, Any]:
    items = (await admin.get(JOBS)).json()["items"]
    (job,) = [item for item in items if item["about"] == {"fit_id": fit_id}]
    found: dict[str, Any] = job
    return found


async def test_admin_sees_what_a_job_is_about_and_who_asked(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    job = await job_about(admin, await start_fit(ada, "request-of-ada"))
    assert job["entrypoint"] == "fits.run"
    assert job["state"] == "waiting"
    assert job["request_id"] == "request-of-ada"
    assert job["priority"] == 10
    assert job["tries"] == 0
    assert job["waited_seconds"] >= 0


async def test_jobs_are_filtered_and_paged(sign_in: SignIn, change: Change) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    jobs = [await job_about(admin, await start_fit(ada)) for _ in range(3)]
    await change(jobs[0]["id"], "status = 'failed', attempts = 2")
    await change(jobs[1]["id"], "execute_after = now() + interval '1 h'")

    async def ids(**query: str) -> list[int]:
        return [item["id"] for item in (await admin.get(JOBS, params=query)).json()["items"]]

    assert await ids(state="failed") == [jobs[0]["id"]]
    assert await ids(state="delayed") == [jobs[1]["id"]]
    assert await ids(state="waiting") == [jobs[2]["id"]]
    assert await ids(entrypoint="fits.track") == []
    first = (await admin.get(JOBS, params={"limit": 2})).json()
    rest = (await admin.get(JOBS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    paged = [item["id"] for item in first["items"] + rest["items"]]
    assert sorted(paged) == sorted(job["id"] for job in jobs)
    assert (await admin.get(JOBS, params={"state": "lost"})).status_code == 422


async def test_failed_job_is_queued_again(sign_in: SignIn, change: Change) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    job = await job_about(admin, await start_fit(ada))
    await change(job["id"], "status = 'failed', attempts = 2")
    answer = await admin.post(f"{JOBS}/{job['id']}/retry")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "waiting"


async def test_job_that_was_put_off_becomes_due(sign_in: SignIn, change: Change) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    job = await job_about(admin, await start_fit(ada))
    await change(job["id"], "execute_after = now() + interval '1 h'")
    assert (await admin.post(f"{JOBS}/{job['id']}/retry")).json()["state"] == "waiting"


async def test_running_or_doubled_job_is_not_queued_again(
    sign_in: SignIn, change: Change, sessions: async_sessionmaker[AsyncSession]
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    job = await job_about(admin, await start_fit(ada))
    await change(job["id"], "status = 'picked'")
    assert (await admin.post(f"{JOBS}/{job['id']}/retry")).status_code == 409
    await change(job["id"], "status = 'failed'")
    async with sessions() as session:
        copied = "priority, entrypoint, dedupe_key, payload"
        await session.execute(
            text(
                f"insert into pgqueuer (status, {copied})"  # noqa: S608  # constants
                f" select 'queued', {copied} from pgqueuer where id = :id"
            ),
            {"id": job["id"]},
        )
        await session.commit()
    refused = await admin.post(f"{JOBS}/{job['id']}/retry")
    assert refused.status_code == 409
    assert "newer job" in refused.json()["detail"]


async def test_cancelled_job_takes_its_fit_with_it(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    fit_id = await start_fit(ada)
    job = await job_about(admin, fit_id)
    assert (await admin.post(f"{JOBS}/{job['id']}/cancel")).status_code == 204
    assert (await ada.get(f"/api/v1/fits/{fit_id}")).json()["state"] == "cancelled"
    assert (await admin.post(f"{JOBS}/{job['id']}/cancel")).status_code == 404


async def test_held_job_of_a_finished_fit_is_cleared(sign_in: SignIn, change: Change) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    fit_id = await start_fit(ada)
    job = await job_about(admin, fit_id)
    await change(job["id"], "status = 'failed'")
    assert (await ada.post(f"/api/v1/fits/{fit_id}/cancel")).status_code == 202
    await admin.post(f"{JOBS}/{job['id']}/cancel")
    assert (await admin.get(JOBS)).json()["items"] == []


async def test_health_names_what_is_away(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    await start_fit(ada)
    health = (await admin.get("/api/v1/operations/health")).json()
    states = {part["name"]: part["state"] for part in health["components"]}
    # Neither MLflow nor a worker runs here.
    assert states == {"database": "ok", "files": "ok", "mlflow": "failed", "workers": "failed"}
    assert health["state"] == "failed"
    assert health["jobs"] == {"waiting": 1}


async def test_storage_counts_bytes_and_rows(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    await upload_csv(ada)
    storage = (await admin.get("/api/v1/operations/storage")).json()
    areas = {area["name"]: area for area in storage["areas"]}
    assert areas["files"]["count"] >= 2
    assert areas["files"]["bytes"] > areas["files"]["count"]
    assert areas["database"]["bytes"] > 0
    assert storage["rows"]["datasets"] == 1
    assert storage["free_bytes"] > 0
