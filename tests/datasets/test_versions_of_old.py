"""Versions that an earlier release made: of another digest, and perhaps without a profile."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, select, update

from backend.core.db import SessionFactory, transaction
from backend.datasets.profile_queue import ProfilePayload
from backend.datasets.tasks import profile_version, queue_profiles
from backend.jobs.children import ChildProcesses
from backend.jobs.registry import WorkerContext
from backend.settings import Settings
from backend.tables import DatasetProfile, DatasetVersion
from tests.conftest import Person, upload_csv

V1 = "/api/v1"
OLD = "0" * 64


@pytest.fixture
def context(real: FastAPI, committed: Settings) -> WorkerContext:
    return WorkerContext(committed, real.state.sessions, real.state.blobs, ChildProcesses(()))


@pytest.fixture
def sessions(real: FastAPI) -> SessionFactory:
    made: SessionFactory = real.state.sessions
    return made


async def _uploaded(client: httpx.AsyncClient, sessions: SessionFactory) -> tuple[str, int]:
    """Two versions of equal content; answers the dataset and the row of the first."""
    url = str((await upload_csv(client)).headers["location"])
    again = await client.post(f"{url}/versions/1/read-again", json={"delimiter": ","})
    assert again.status_code == 201, again.text
    wanted = select(func.min(DatasetVersion.id)).where(
        DatasetVersion.dataset_id == int(url.rpartition("/")[2])
    )
    async with sessions() as session:
        return url, (await session.execute(wanted)).scalar_one()


async def _digests(client: httpx.AsyncClient, url: str) -> list[Any]:
    return [
        (await client.get(f"{url}/versions/{number}")).json()["content_digest"] for number in (1, 2)
    ]


async def _make_old(sessions: SessionFactory, version_id: int, digest: str) -> None:
    async with transaction(sessions) as session:
        own = update(DatasetVersion).where(DatasetVersion.id == version_id)
        await session.execute(own.values(content_digest=digest))
        profile = update(DatasetProfile).where(DatasetProfile.dataset_version_id == version_id)
        await session.execute(profile.values(state="queued", sha256=None))


async def test_digest_of_old_is_computed_anew_with_the_profile_and_once(
    person: Person, sessions: SessionFactory, context: WorkerContext
) -> None:
    ada = await person("ada")
    url, version_id = await _uploaded(ada, sessions)
    first, second = await _digests(ada, url)
    assert first == second
    await _make_old(sessions, version_id, f"v1:{OLD}")
    assert await _digests(ada, url) == [f"v1:{OLD}", second]
    diff = (await ada.get(f"{url}/versions/2/diff", params={"against": 1})).json()
    assert diff["same_content"]
    job = ProfilePayload(dataset_version_id=version_id).model_dump_json().encode()
    await profile_version(context, job)
    assert await _digests(ada, url) == [second, second]
    # One without the mark is nobody's to change.
    await _make_old(sessions, version_id, OLD)
    await profile_version(context, job)
    assert await _digests(ada, url) == [OLD, second]


async def test_version_without_a_profile_waits_for_one(
    person: Person, sessions: SessionFactory, context: WorkerContext
) -> None:
    bob = await person("bob")
    url, version_id = await _uploaded(bob, sessions)
    _, second = await _digests(bob, url)
    await _make_old(sessions, version_id, OLD)
    own = DatasetProfile.dataset_version_id == version_id
    async with transaction(sessions) as session:
        await session.execute(delete(DatasetProfile).where(own))
    profile = await bob.get(f"{url}/versions/1/profile")
    assert (profile.status_code, profile.json()["state"]) == (200, "queued")
    assert (await bob.get(f"{url}/versions")).json()["items"][1]["profile_state"] == "queued"
    assert (await bob.get(f"{V1}/datasets")).status_code == 200
    assert (await bob.post(f"{url}/versions/1/profile")).json()["state"] == "queued"
    for _ in range(2):
        await queue_profiles(context)
    job = ProfilePayload(dataset_version_id=version_id).model_dump_json().encode()
    await profile_version(context, job)
    assert (await bob.get(f"{url}/versions/1/profile")).json()["state"] == "ready"
    assert await _digests(bob, url) == [second, second]
