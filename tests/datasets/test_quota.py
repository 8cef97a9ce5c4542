"""What one user may keep: refused from the announced size, and by what was really sent."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.datasets import bodies
from backend.datasets.files import FILES_LOCK, QUOTA_LOCK, hold_quota, try_lock_files
from backend.settings import Settings
from backend.tables import Dataset, DatasetVersion
from tests.conftest import SignIn

QUOTA = 1_000
URL = "/api/v1/datasets"


@pytest.fixture
async def small_quota(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    uploads = settings.uploads.model_copy(update={"quota_bytes": QUOTA})
    app.state.settings = settings.model_copy(update={"uploads": uploads})
    yield
    app.state.settings = settings


def _table(size: int) -> bytes:
    content = b"x,y\n1,2\n"
    return content + b"3,4\n" * ((size - len(content)) // 4)


async def _send(client: httpx.AsyncClient, size: int, path: str = URL) -> httpx.Response:
    return await client.post(path, files={"file": ("x.csv", _table(size))})


@pytest.mark.usefixtures("small_quota")
async def test_upload_over_the_quota_is_refused_and_leaves_nothing(
    sign_in: SignIn, sessions: async_sessionmaker[AsyncSession]
) -> None:
    ada = await sign_in("ada")
    path = (await _send(ada, 600)).headers["location"]
    for refused in (await _send(ada, 600), await _send(ada, 600, f"{path}/versions")):
        assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
        assert "600 bytes of at most 1,000" in refused.json()["detail"]
    assert (await _send(ada, 400, f"{path}/versions")).status_code == 201
    async with sessions() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table))
            for table in (Dataset, DatasetVersion)
        ]
    assert counts == [1, 2]


@pytest.mark.usefixtures("small_quota")
async def test_quota_is_each_users_own(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    assert (await _send(ada, 900)).status_code == 201
    assert (await _send(bob, 900)).status_code == 201


@pytest.mark.usefixtures("small_quota")
async def test_body_that_announces_too_much_is_refused_unread(sign_in: SignIn) -> None:
    ada = await sign_in("ada")

    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {
        "Content-Type": "multipart/form-data; boundary=x",
        "Content-Length": "900000",
    }
    answer = await ada.post(URL, content=body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "quota_exceeded")


@pytest.mark.usefixtures("small_quota")
async def test_purged_dataset_counts_no_more(
    sign_in: SignIn, sessions: async_sessionmaker[AsyncSession]
) -> None:
    ada = await sign_in("ada")
    made = (await _send(ada, 900)).json()
    assert (await _send(ada, 900)).status_code == 413
    async with sessions() as session:
        dataset = await session.get_one(Dataset, made["id"])
        dataset.trashed_at = dataset.purged_at = await session.scalar(select(func.now()))
        await session.commit()
    assert (await _send(ada, 900)).status_code == 201


@pytest.mark.usefixtures("small_quota")
async def test_recipe_counts_as_well(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await _send(ada, 900)).headers["location"]
    steps = {"steps": [{"kind": "rename", "columns": {"x": "z"}}]}
    refused = await ada.post(f"{path}/versions/1/recipe", json=steps)
    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")


@pytest.mark.usefixtures("small_quota")
async def test_upload_sent_again_with_its_key_is_the_same_though_the_quota_is_full(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "FORM_OVERHEAD", 300)  # so that a small body counts
    ada = await sign_in("ada")
    key = {"Idempotency-Key": "once"}
    files = {"file": ("x.csv", _table(900))}
    first, second = [await ada.post(URL, files=files, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201), second.text
    assert first.json()["id"] == second.json()["id"]
    other = await ada.post(URL, files=files, headers={"Idempotency-Key": "another"})
    assert (other.status_code, other.json()["code"]) == (413, "quota_exceeded")


async def test_no_user_takes_the_lock_of_all_files(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    async with sessions() as one, sessions() as other:
        await hold_quota(one, QUOTA_LOCK ^ FILES_LOCK)
        assert await try_lock_files(other)
        await hold_quota(one, 2**40)
