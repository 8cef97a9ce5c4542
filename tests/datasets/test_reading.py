"""How a file is read: found out and told, overridden beside the file, or read again later."""

import gzip
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.datasets.files import at_hand
from backend.settings import Settings
from backend.storage.blobs import BlobStore
from backend.tables import DatasetProfile, DatasetVersion
from tests.conftest import DATA, SignIn, upload_csv

PENGUINS = DATA / "penguins.csv"
TABLE = "name;amount\nZoë;1,5\nAndré;2,5\n"
SAMPLE = "/api/v1/datasets/sample"


async def _version(client: httpx.AsyncClient, path: str, number: int = 1) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(f"{path}/versions/{number}")).json()
    return answer


async def _send(client: httpx.AsyncClient, content: bytes, **fields: str) -> httpx.Response:
    files = {"file": ("table.csv", content)}
    return await client.post("/api/v1/datasets", files=files, data=fields)


def _written(form: str) -> bytes:
    frame = pl.read_csv(PENGUINS, null_values=["NA"])
    sink = io.BytesIO()
    if form == "parquet":
        frame.write_parquet(sink)
    elif form == "arrow":
        frame.write_ipc(sink)
    elif form == "excel":
        frame.write_excel(sink)
    elif form == "json_lines":
        frame.write_ndjson(sink)
    elif form == "gzip":
        return gzip.compress(PENGUINS.read_bytes())
    return sink.getvalue()


@pytest.mark.parametrize("form", ["parquet", "arrow", "excel", "json_lines", "gzip"])
async def test_same_table_has_the_same_digest_in_every_format(sign_in: SignIn, form: str) -> None:
    ada = await sign_in("ada")
    plain = (await upload_csv(ada)).json()
    # The name lies: the content decides.
    made = await _send(ada, _written(form))
    assert made.status_code == 201, made.text
    assert made.json()["content_digest"] == plain["content_digest"]
    source = (await _version(ada, made.headers["location"]))["source"]
    expected = ("csv", "gzip") if form == "gzip" else (form, None)
    assert (source["format"], source["compression"]) == expected


async def test_source_of_a_text_file_is_told(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await _send(ada, TABLE.encode())
    source = (await _version(ada, made.headers["location"]))["source"]
    assert (source["format"], source["delimiter"], source["encoding"]) == ("csv", ";", "utf-8")


async def test_options_beside_the_file_decide(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    content = "a^b;c\nZoë^1;2\n".encode("cp1252")
    refused = await _send(ada, content)
    assert refused.status_code == 422
    assert "windows-1252" in refused.json()["detail"]
    made = await _send(ada, content, encoding="windows-1252", delimiter="^")
    assert made.status_code == 201, made.text
    preview = (await ada.get(f"{made.headers['location']}/versions/1/preview")).json()
    assert preview["columns"] == ["a", "b;c"]
    assert preview["rows"] == [["Zoë", "1;2"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delimiter", '"'),
        ("delimiter", "a"),
        ("delimiter", "::"),
        ("delimiter", "\n"),
        ("encoding", "klingon"),
        ("encoding", "base64"),
        ("encoding", ""),
        ("format", "xml"),
        ("sheet", ""),
    ],
)
async def test_bad_option_is_named(sign_in: SignIn, name: str, value: str) -> None:
    ada = await sign_in("ada")
    answer = await _send(ada, b"x,y\n1,2\n", **{name: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["loc"] == ["body", name]
    path = (await _send(ada, b"x,y\n1,2\n")).headers["location"]
    again = await ada.post(f"{path}/versions/1/read-again", json={name: value})
    assert again.status_code == 422
    assert again.json()["errors"][0]["loc"] == ["body", name]


async def test_version_is_read_again_with_other_options(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await _send(ada, b"a|b|c\n1|2|3\n")).headers["location"]
    before = await _version(ada, path)
    assert before["source"]["delimiter"] == "|"
    again = await ada.post(f"{path}/versions/1/read-again", json={"delimiter": ";"})
    assert again.status_code == 201, again.text
    made = again.json()
    assert (made["version"], made["columns"], made["parent_version"]) == (2, 1, 1)
    assert made["sha256"] == before["sha256"]
    assert made["source"]["delimiter"] == ";"
    assert await _version(ada, path) == before
    original = await ada.get(f"{path}/versions/2/download")
    assert original.content == b"a|b|c\n1|2|3\n"


async def test_what_cannot_be_read_so_makes_no_version(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await _send(ada, b"x,y\n1,2\n")).headers["location"]
    again = await ada.post(f"{path}/versions/1/read-again", json={"format": "parquet"})
    assert again.status_code == 422
    assert (await ada.get(path)).json()["latest_version"] == 1


async def test_version_that_was_no_file_is_not_read_again(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    body = {"name": "made", "columns": {"x": [1, 2]}}
    path = (await ada.post("/api/v1/datasets", json=body)).headers["location"]
    again = await ada.post(f"{path}/versions/1/read-again", json={})
    assert (again.status_code, again.json()["code"]) == (409, "not_an_upload")


async def test_sample_is_a_dataset_like_any_other(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    made = await ada.post(SAMPLE)
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["rows"]) == ("Palmer penguins", 344)
    original = await ada.get(f"{made.headers['location']}/versions/1/download")
    assert original.content == PENGUINS.read_bytes()
    project = (await ada.get("/api/v1/projects")).json()["items"][0]["id"]
    foreign = await bob.post(SAMPLE, json={"project_id": project})
    assert foreign.status_code == 404


async def test_sample_sent_again_with_its_key_is_the_same(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    key = {"Idempotency-Key": "sample-1"}
    first, second = [(await ada.post(SAMPLE, headers=key)).json()["id"] for _ in range(2)]
    assert first == second


async def test_other_options_with_the_same_key_are_another_request(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    files = {"file": ("x.csv", b"a;b\n1;2\n")}
    key = {"Idempotency-Key": "options-1"}
    url = "/api/v1/datasets"
    first = await ada.post(url, files=files, headers=key)
    assert (await ada.post(url, files=files, headers=key)).json()["id"] == first.json()["id"]
    other = await ada.post(url, files=files, headers=key, data={"delimiter": ","})
    assert (other.status_code, other.json()["errors"][0]["type"]) == (422, "reused")


async def test_small_table_has_its_profile_at_once(
    sign_in: SignIn, sessions: async_sessionmaker[AsyncSession], settings: Settings
) -> None:
    ada = await sign_in("ada")
    made = (await upload_csv(ada)).json()
    assert made["profile_state"] == "ready"
    async with sessions() as session:
        version = await session.get_one(DatasetVersion, await _version_id(session, made["id"]))
        profile = await session.get_one(DatasetProfile, version.id)
    assert profile.sha256 is not None
    assert BlobStore(settings.files_url).read(profile.sha256).startswith(b"{")


async def _version_id(session: AsyncSession, dataset_id: int) -> int:
    found = await session.execute(
        DatasetVersion.__table__.select().where(DatasetVersion.dataset_id == dataset_id)
    )
    return int(found.one().id)


@pytest.mark.parametrize(
    ("header", "said"),
    [("a" * 501 + ",b", "more than 500 characters"), ("a,a\u200b", "stands twice")],
)
async def test_column_names_that_no_step_could_name_are_refused(
    sign_in: SignIn, header: str, said: str
) -> None:
    ada = await sign_in("ada")
    refused = await _send(ada, f"{header}\n1,2\n".encode())
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert len(refused.text) < 2_000


async def test_stored_file_is_fetched_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobStore(str(tmp_path / "files"))
    (tmp_path / "x.csv").write_bytes(b"x\n1\n")
    digest = blobs.put_file(tmp_path / "x.csv")
    threads: list[int] = []
    local = blobs.local

    @contextmanager
    def watched(digest: str, folder: Path) -> Iterator[Path]:
        threads.append(threading.get_ident())
        with local(digest, folder) as path:
            yield path

    monkeypatch.setattr(blobs, "local", watched)
    async with at_hand(blobs, digest, tmp_path) as path:
        assert path.read_bytes() == b"x\n1\n"
    assert threads != [threading.get_ident()]
