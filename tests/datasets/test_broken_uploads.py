"""Hundreds of broken files: each gets its answer, soon, and leaves nothing behind."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.datasets.workspaces import uploads_folder
from backend.settings import Settings
from backend.tables import Dataset, DatasetProfile, DatasetVersion
from tests.conftest import SignIn
from tests.datasets import broken_files
from tests.datasets.broken_files import BrokenFile
from tests.datasets.whole_files import whole_files

URL = "/api/v1/datasets"
REFUSALS = (400, 413, 415, 422)
MUTATED = 18
SLOWEST_SECONDS = 10.0
MOST_MEMORY = 1_000_000_000
MADE = ("archives", "workbooks", "columnar", "texts", "odd_but_good")


class Bench:
    """Sends files, and looks whether all is as before where one was refused."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        sessions: async_sessionmaker[AsyncSession],
        settings: Settings,
    ) -> None:
        self._client = client
        self._sessions = sessions
        self._settings = settings
        self.taken = 0

    async def send(self, file: BrokenFile) -> list[str]:
        """What is not as it should be."""
        before = await self._kept()
        started = time.monotonic()
        answer = await self._client.post(
            URL, files={"file": (file.name, file.content)}, data=dict(file.fields)
        )
        seconds = time.monotonic() - started
        found: list[str] = []
        if seconds > SLOWEST_SECONDS:
            found.append(f"took {seconds:.1f} s")
        if answer.status_code == 201 and not file.must_fail:
            self.taken += 1
            return found + await self._look_at(answer)
        if answer.status_code not in REFUSALS:
            return [*found, f"{answer.status_code} {answer.text[:300]}"]
        problem = answer.json()
        if not problem["detail"] or (answer.status_code == 422 and not problem["errors"]):
            found.append(f"says too little: {problem}")
        if await self._kept() != before:
            found.append("left something behind")
        return found

    async def _look_at(self, answer: httpx.Response) -> list[str]:
        path = f"{answer.headers['location']}/versions/1"
        found = []
        pages = ["profile", "images" if answer.json()["kind"] == "image" else "preview"]
        for page in pages:
            shown = await self._client.get(f"{path}/{page}")
            if shown.status_code != 200:
                found.append(f"{page}: {shown.status_code} {shown.text[:200]}")
            else:
                json.loads(shown.content, parse_constant=found.append)
        return found

    async def _kept(self) -> tuple[int, ...]:
        async with self._sessions() as session:
            rows = [
                await session.scalar(select(func.count()).select_from(table)) or 0
                for table in (Dataset, DatasetVersion, DatasetProfile)
            ]
        folders = len(os.listdir(uploads_folder(self._settings.home)))
        blobs = sum(len(files) for _, _, files in os.walk(self._settings.home / "files"))
        return (*rows, folders, blobs)


@pytest.fixture
async def bench(
    sign_in: SignIn, sessions: async_sessionmaker[AsyncSession], settings: Settings
) -> Bench:
    ada = await sign_in("ada")
    await ada.post(URL, files={"file": ("x.csv", b"x,y\n1,2\n")})
    return Bench(ada, sessions, settings)


async def _all_answered(bench: Bench, files: Iterable[BrokenFile]) -> None:
    wrong = {file.name: found for file in files if (found := await bench.send(file))}
    assert not wrong
    assert _peak_memory() < MOST_MEMORY


def _peak_memory() -> int:
    """Of any process that worked on tables and still lives, in bytes."""
    peaks = [0]
    for process in psutil.Process().children():
        status = Path(f"/proc/{process.pid}/status")
        for line in status.read_text().splitlines() if status.exists() else ():
            if line.startswith("VmHWM:"):
                peaks.append(int(line.split()[1]) * 1024)
    return max(peaks)


@pytest.mark.parametrize("kind", MADE)
async def test_harmful_files_are_refused_and_leave_nothing(bench: Bench, kind: str) -> None:
    await _all_answered(bench, getattr(broken_files, kind)())


@pytest.mark.parametrize("name", list(whole_files()))
async def test_damaged_files_are_answered_and_leave_nothing(bench: Bench, name: str) -> None:
    await _all_answered(bench, broken_files.mutated(name, MUTATED))


@pytest.mark.parametrize("name", list(whole_files()))
async def test_file_that_the_damage_starts_from_is_good(bench: Bench, name: str) -> None:
    assert await bench.send(BrokenFile(name, whole_files()[name])) == []
    assert bench.taken == 1


def test_corpus_has_three_hundred_files_at_least() -> None:
    made = sum(len(list(getattr(broken_files, kind)())) for kind in MADE)
    assert made + MUTATED * len(whole_files()) >= 300


async def test_odd_but_good_files_are_taken(bench: Bench) -> None:
    files = list(broken_files.odd_but_good())
    for file in files:
        assert await bench.send(file) == [], file.name
    assert bench.taken == len(files)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na\n1\n',
        b"--x\r\n" + b"A: b\r\n" * 10_000,
        b"--y\r\n\r\n--y--\r\n",
        b"\x00" * 10_000,
    ],
)
async def test_broken_body_is_refused_and_leaves_nothing(
    sign_in: SignIn, settings: Settings, body: bytes
) -> None:
    ada = await sign_in("ada")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await ada.post(URL, content=body, headers=headers)
    assert answer.status_code in REFUSALS, answer.text
    assert not os.listdir(uploads_folder(settings.home))
