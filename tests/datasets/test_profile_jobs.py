"""The worker computes profiles: fenced, tried again, and only while somebody wants them."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import psutil
import pytest
from fastapi import FastAPI
from pgqueuer.domain.errors import RetryRequested
from sqlalchemy import select, text, update

from backend.core.db import SessionFactory, transaction
from backend.datasets import profile_attempts as attempts
from backend.datasets.profile_attempts import MOST_ATTEMPTS, ProfileClaim
from backend.datasets.profile_queue import ProfilePayload
from backend.datasets.tasks import NICENESS, profile_version, queue_profiles
from backend.jobs.children import ChildProcesses
from backend.jobs.registry import WorkerContext
from backend.settings import Settings
from backend.tables import DatasetProfile, DatasetVersion
from tests.conftest import Person, upload_csv
from tests.science.images import image_zip, pictures, zipped

V1 = "/api/v1"
JOBS = "select dedupe_key from pgqueuer where entrypoint = 'datasets.profile' order by id"


@pytest.fixture
def context(real: FastAPI, committed: Settings) -> WorkerContext:
    return WorkerContext(committed, real.state.sessions, real.state.blobs, ChildProcesses(()))


@pytest.fixture
def sessions(real: FastAPI) -> SessionFactory:
    made: SessionFactory = real.state.sessions
    return made


@pytest.fixture
async def ada(person: Person, sessions: SessionFactory) -> httpx.AsyncClient:
    async with transaction(sessions) as session:
        await session.execute(text("delete from pgqueuer"))
        await session.execute(update(DatasetProfile).values(state="ready"))
    return await person("ada")


async def _waiting(client: httpx.AsyncClient, sessions: SessionFactory) -> tuple[str, int]:
    """A dataset whose profile is still to be computed, as in versions of old."""
    dataset = (await upload_csv(client)).json()["id"]
    async with transaction(sessions) as session:
        wanted = select(DatasetVersion.id).where(DatasetVersion.dataset_id == dataset)
        version_id = (await session.execute(wanted)).scalar_one()
        await session.execute(
            update(DatasetProfile)
            .where(DatasetProfile.dataset_version_id == version_id)
            .values(state="queued", sha256=None, progress=0.0)
        )
    return f"{V1}/datasets/{dataset}", version_id


def _job(version_id: int) -> bytes:
    return ProfilePayload(dataset_version_id=version_id).model_dump_json().encode()


async def _claim(sessions: SessionFactory, version_id: int) -> ProfileClaim | None:
    async with transaction(sessions) as session:
        return await attempts.claim(session, version_id)


async def _jobs(sessions: SessionFactory) -> list[str]:
    async with sessions() as session:
        return list((await session.execute(text(JOBS))).scalars())


async def _profile(client: httpx.AsyncClient, url: str) -> Any:
    answer = await client.get(f"{url}/versions/1/profile")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_job_computes_what_an_upload_of_few_cells_has_at_once(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext
) -> None:
    at_once = await _profile(ada, f"{V1}/datasets/{(await upload_csv(ada)).json()['id']}")
    url, version_id = await _waiting(ada, sessions)
    waiting = await _profile(ada, url)
    assert (waiting["state"], waiting["duplicate_rows"]) == ("queued", None)
    assert [column["mean"] for column in waiting["columns"]] == [None] * 8
    assert [column["nulls"] for column in waiting["columns"]] == [0, 0, 2, 2, 2, 2, 11, 0]
    await profile_version(context, _job(version_id))
    assert await _profile(ada, url) == at_once | {"message": "Done"}
    # A job that comes twice finds nothing to do.
    await profile_version(context, _job(version_id))


async def test_worker_that_comes_back_from_the_dead_changes_nothing(
    ada: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    _, version_id = await _waiting(ada, sessions)
    first, second = await _claim(sessions, version_id), await _claim(sessions, version_id)
    assert first is not None
    assert second is not None
    async with transaction(sessions) as session:
        assert not await attempts.report(session, first, 0.5, "half")
        assert not await attempts.succeed(session, first, "0" * 64)
        assert not await attempts.fail(session, first, "because")
        assert await attempts.report(session, second, 0.5, "half")
        await attempts.give_back(session, second)
    again = await _claim(sessions, version_id)
    assert again is not None
    assert again.attempt == second.attempt


async def test_profile_that_was_lost_too_often_fails_and_is_asked_for_again(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext
) -> None:
    url, version_id = await _waiting(ada, sessions)
    for _ in range(MOST_ATTEMPTS):
        assert await _claim(sessions, version_id) is not None
    assert await _claim(sessions, version_id) is None
    failed = await _profile(ada, url)
    assert failed["state"] == "failed"
    assert failed["message"].startswith("The worker was lost 3 times")
    again = await ada.post(f"{url}/versions/1/profile")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert await _jobs(sessions) == [f"datasets.profile:{version_id}"]
    assert (await ada.post(f"{url}/versions/1/profile")).json()["state"] == "queued"
    await profile_version(context, _job(version_id))
    assert (await _profile(ada, url))["state"] == "ready"
    assert (await ada.post(f"{url}/versions/1/profile")).json()["state"] == "ready"


async def test_chore_queues_what_waits_without_a_job_but_not_the_trash(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext
) -> None:
    _, version_id = await _waiting(ada, sessions)
    url, trashed_id = await _waiting(ada, sessions)
    assert (await ada.delete(url)).status_code == 204
    for _ in range(2):
        await queue_profiles(context)
        assert await _jobs(sessions) == [f"datasets.profile:{version_id}"]
    await profile_version(context, _job(trashed_id))
    assert (await ada.post(f"{url}/restore")).status_code == 200
    assert (await _profile(ada, url))["state"] == "queued"


async def test_missing_file_is_told(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext
) -> None:
    url, version_id = await _waiting(ada, sessions)
    async with transaction(sessions) as session:
        wanted = update(DatasetVersion).where(DatasetVersion.id == version_id)
        await session.execute(wanted.values(parquet_sha256="0" * 64))
    await profile_version(context, _job(version_id))
    failed = await _profile(ada, url)
    assert (failed["state"], failed["message"].split(".")[0]) == (
        "failed",
        "The dataset's file is missing or damaged",
    )


async def _large(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext, folder: Path
) -> tuple[str, int]:
    """A version whose profile takes some seconds."""
    url, version_id = await _waiting(ada, sessions)
    path = folder / "large.parquet"
    random = np.random.default_rng(0)
    columns = {f"x{number}": random.normal(size=1_000_000) for number in range(12)}
    pl.DataFrame(columns).write_parquet(path)
    described = [
        {"name": name, "type": "number", "role": "numeric", "nulls": 0, "distinct": None}
        | {"left_out_because": None}
        for name in columns
    ]
    async with transaction(sessions) as session:
        wanted = update(DatasetVersion).where(DatasetVersion.id == version_id)
        digest = context.blobs.put_file(path)
        await session.execute(wanted.values(parquet_sha256=digest, columns=described))
    return url, version_id


async def _child() -> psutil.Process:
    """The process that computes: a niced one of the fork server's."""
    while True:
        for child in psutil.Process().children(recursive=True):
            if child.nice() == NICENESS and "forkserver" in " ".join(child.cmdline()):
                return child
        await asyncio.sleep(0.02)


async def test_killed_child_is_tried_again(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext, tmp_path: Path
) -> None:
    url, version_id = await _large(ada, sessions, context, tmp_path)
    running = asyncio.ensure_future(profile_version(context, _job(version_id)))
    (await asyncio.wait_for(_child(), 30)).kill()
    with pytest.raises(RetryRequested):
        await running
    shown = await _profile(ada, url)
    assert shown["state"] == "running"
    await profile_version(context, _job(version_id))
    done = await _profile(ada, url)
    assert (done["state"], done["columns"][3]["distinct"]) == ("ready", 1_000_000)


async def test_profile_over_its_time_fails(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext, tmp_path: Path
) -> None:
    url, version_id = await _large(ada, sessions, context, tmp_path)
    uploads = context.settings.uploads.model_copy(update={"max_seconds": 1})
    settings = context.settings.model_copy(update={"uploads": uploads})
    await profile_version(dataclasses.replace(context, settings=settings), _job(version_id))
    failed = await _profile(ada, url)
    assert (failed["state"], failed["message"]) == (
        "failed",
        "The profile took longer than 1 seconds.",
    )


async def test_worker_that_stops_gives_the_profile_back(
    ada: httpx.AsyncClient, sessions: SessionFactory, context: WorkerContext, tmp_path: Path
) -> None:
    url, version_id = await _large(ada, sessions, context, tmp_path)
    running = asyncio.ensure_future(profile_version(context, _job(version_id)))
    child = await asyncio.wait_for(_child(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await _profile(ada, url))["state"] == "queued"
    child.wait(5)
    held = await _claim(sessions, version_id)
    assert held is not None
    assert held.attempt == 1


async def test_images_have_a_profile_and_a_difference_too(
    ada: httpx.AsyncClient, context: WorkerContext
) -> None:
    made = await ada.post(f"{V1}/datasets", files={"file": ("a.zip", image_zip(12))})
    url = f"{V1}/datasets/{made.json()['id']}"
    fewer = {name: content for name, content in pictures(12).items() if name < "006"}
    lines = "\n".join(["cross"] * 3 + ["star"] * 3)
    again = zipped({**fewer, "labels.txt": lines})
    answer = await ada.post(f"{url}/versions", files={"file": ("b.zip", again)})
    assert answer.status_code == 201, answer.text
    await queue_profiles(context)
    async with context.sessions() as session:
        waiting = select(DatasetProfile.dataset_version_id).where(DatasetProfile.state == "queued")
        for version_id in (await session.execute(waiting)).scalars():
            await profile_version(context, _job(version_id))
    profile = await _profile(ada, url)
    assert (profile["state"], profile["images"]["classes"]) == ("ready", {"circle": 6, "cross": 6})
    assert profile["images"]["width"] == profile["images"]["height"] == 12
    diff = (await ada.get(f"{url}/versions/2/diff", params={"against": 1})).json()
    label = next(one for one in diff["columns"] if one["name"] == "label")
    assert (label["categories_added"], label["categories_gone"]) == (["star"], ["circle"])
    # Of the six that stayed, four have other labels now.
    assert (diff["rows_only_before"], diff["rows_only_after"]) == (10, 4)
    refused = await ada.get(f"{url}/versions/1/profile", params={"target": "image"})
    assert refused.status_code == 422
    told = await ada.get(f"{url}/versions/1/profile", params={"target": "label"})
    assert told.json()["target"] == "label"
