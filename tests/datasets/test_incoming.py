"""Uploads of one user at the same time: few of them, and together within the quota."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from backend.datasets import bodies
from backend.datasets.incoming import UPLOADS_AT_MOST
from backend.datasets.workspaces import uploads_folder
from backend.settings import Settings
from tests.conftest import SignIn

URL = "/api/v1/datasets"
FORM = {"Content-Type": "multipart/form-data; boundary=x-x"}
HEAD = b'--x-x\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\nx,y\n'
TAIL = b"\r\n--x-x--\r\n"
ROW = b"1,2\n"


class _Upload:
    """A body that comes in parts, when it is told to."""

    def __init__(self, client: httpx.AsyncClient, rows: int) -> None:
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        self._rows = rows
        self.answer = asyncio.ensure_future(
            client.post(URL, content=self._body(), headers=FORM, timeout=60)
        )

    async def _body(self) -> AsyncIterator[bytes]:
        yield HEAD + ROW * self._rows
        self.arrived.set()
        await self.go_on.wait()
        yield TAIL

    async def finish(self) -> httpx.Response:
        self.go_on.set()
        return await self.answer


async def _waiting(client: httpx.AsyncClient, rows: int) -> _Upload:
    upload = _Upload(client, rows)
    await asyncio.wait_for(upload.arrived.wait(), 10)
    return upload


@pytest.fixture
async def small_quota(
    app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    monkeypatch.setattr(bodies, "FORM_OVERHEAD", 300)
    uploads = settings.uploads.model_copy(update={"quota_bytes": 10_000})
    app.state.settings = settings.model_copy(update={"uploads": uploads})
    yield
    app.state.settings = settings


async def test_one_upload_more_than_a_user_may_send_at_a_time_is_refused_unread(
    sign_in: SignIn, settings: Settings
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    uploads = [await _waiting(ada, 10) for _ in range(UPLOADS_AT_MOST)]
    refused = await ada.post(URL, files={"file": ("x.csv", b"x,y\n1,2\n")})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 0
    assert (await bob.post(URL, files={"file": ("x.csv", b"x\n1\n")})).status_code == 201
    answers = [await upload.finish() for upload in uploads]
    assert [answer.status_code for answer in answers] == [201] * UPLOADS_AT_MOST
    assert (await ada.post(URL, files={"file": ("x.csv", b"x\n1\n")})).status_code == 201
    assert not list(uploads_folder(settings.home).iterdir())


@pytest.mark.usefixtures("small_quota")
async def test_uploads_on_their_way_count_together(sign_in: SignIn, settings: Settings) -> None:
    ada = await sign_in("ada")
    first = await _waiting(ada, 2_000)  # 8,000 bytes of 10,000
    second = _Upload(ada, 2_000)
    refused = await asyncio.wait_for(second.answer, 10)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    announced = await ada.post(URL, files={"file": ("x.csv", b"x,y\n" + ROW * 2_000)})
    assert announced.status_code == 429
    assert (await first.finish()).status_code == 201
    late = await ada.post(URL, files={"file": ("x.csv", b"x,y\n" + ROW * 2_000)})
    assert (late.status_code, late.json()["code"]) == (413, "quota_exceeded")
    assert (await ada.post(URL, files={"file": ("x.csv", b"x,y\n" + ROW)})).status_code == 201
    assert not list(uploads_folder(settings.home).iterdir())


@pytest.mark.usefixtures("small_quota")
async def test_body_beyond_the_quota_is_refused_while_it_comes(sign_in: SignIn) -> None:
    upload = _Upload(await sign_in("ada"), 4_000)
    refused = await asyncio.wait_for(upload.answer, 10)
    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
