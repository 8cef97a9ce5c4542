"""A client that goes away ends what was done for it, and leaves nothing."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.datasets.workspaces import uploads_folder
from backend.settings import Settings
from backend.tables import Dataset
from tests.conftest import SignIn

BOUNDARY = b"x-x"
HEAD = b'--x-x\r\nContent-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n'
TAIL = b"\r\n--x-x--\r\n"


class _Client:
    """An ASGI client that can hang up at any moment."""

    def __init__(self, app: FastAPI, token: str) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answers: list[dict[str, Any]] = []
        headers = [
            (b"host", b"test"),
            (b"authorization", token.encode()),
            (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY),
        ]
        path = "/api/v1/datasets"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
        }
        self.request = asyncio.ensure_future(app(scope, self.messages.get, self._send))

    async def _send(self, message: Any) -> None:
        self.answers.append(message)

    def say(self, body: bytes, *, more: bool = True) -> None:
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def hang_up(self) -> int:
        self.messages.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.request, 20)
        return int(self.answers[0]["status"])


async def _nothing_left(
    settings: Settings, sessions: async_sessionmaker[AsyncSession], files: set[Path]
) -> None:
    assert not list(uploads_folder(settings.home).iterdir())
    assert _files(settings) == files
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Dataset)) == 0


def _files(settings: Settings) -> set[Path]:
    return {path for path in (settings.home / "files").rglob("*") if path.is_file()}


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


async def test_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(
    app: FastAPI,
    ada: httpx.AsyncClient,
    settings: Settings,
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    before = _files(settings)
    client = _Client(app, ada.headers["authorization"])
    client.say(HEAD + b"x,y\n" + b"1,2\n" * 1_000)
    assert await client.hang_up() == 400
    await _nothing_left(settings, sessions, before)


async def test_client_that_leaves_while_its_table_is_read_ends_the_process(
    app: FastAPI,
    ada: httpx.AsyncClient,
    settings: Settings,
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    before = _files(settings)
    client = _Client(app, ada.headers["authorization"])
    row = ",".join(f"{i}.5" for i in range(200)).encode() + b"\n"
    header = ",".join(f"c{i}" for i in range(200)).encode() + b"\n"
    client.say(HEAD + header + row * 20_000 + TAIL, more=False)
    reading = await _reading_process(settings)
    assert await client.hang_up() == 400
    await _nothing_left(settings, sessions, before)
    gone, alive = psutil.wait_procs([reading], timeout=10)
    assert (gone, alive) == ([reading], [])


async def _reading_process(settings: Settings) -> psutil.Process:
    """The process that has begun to write in the folder of the upload."""
    folder = uploads_folder(settings.home)
    # A process takes its time to start on a busy machine.
    for _ in range(3_000):
        for process in psutil.Process().children():
            opened = [Path(file.path) for file in process.open_files()]
            if any(folder in path.parents for path in opened):
                return process
        await asyncio.sleep(0.02)
    raise AssertionError("nobody read the table")
