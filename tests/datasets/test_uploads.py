"""Uploads: typed, immutable, whole or not at all; every bad file named by line or column."""

import gzip
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.settings import Settings
from backend.tables import Dataset, DatasetVersion
from tests.conftest import DATA, SignIn, upload_csv

PENGUINS = DATA / "penguins.csv"


async def test_upload_is_typed_and_described(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await upload_csv(ada)
    assert made.status_code == 201, made.text
    dataset = made.json()
    assert (dataset["name"], dataset["rows"], dataset["columns"]) == ("penguins", 344, 8)
    assert dataset["bytes"] == PENGUINS.stat().st_size
    assert made.headers["location"] == f"/api/v1/datasets/{dataset['id']}"
    profile = (await ada.get(f"{made.headers['location']}/versions/1/profile")).json()
    described = {column["name"]: column for column in profile["columns"]}
    assert described["bill_length_mm"]["type"] == "number"
    assert described["bill_length_mm"]["nulls"] == 2
    assert described["species"]["role"] == "categorical"
    assert profile["suggested_target"]["column"] == "body_mass_g"


async def test_original_bytes_come_back(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada)).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download")
    assert answer.content == PENGUINS.read_bytes()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_preview_has_the_first_rows_with_nulls(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada)).headers["location"]
    preview = (await ada.get(f"{path}/versions/1/preview?limit=4")).json()
    assert preview["total_rows"] == 344
    assert len(preview["rows"]) == 4
    assert preview["rows"][3][2] is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n", "Line 3 has 1 field, expected 2"),
        (b"a,b\n1,2,3\n", "Line 2 has 3 fields, expected 2"),
        (b'a,b\n"x\ny",2\n1\n', "Line 4 has 1 field"),
        (b"a,b,a\n1,2,3\n", "'a' stands twice"),
        (b"a,A\n1,2\n", "'A' stands twice"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"a,b\n1,\x00\n", "Line 2 contains a NUL byte"),
        (b"a,b\n1,2\n\xff,3\n", "not UTF-8 (line 3, byte 9)"),
        (b'a,b\n"1,2\n', "Line 2"),
        (",".join(f"c{i}" for i in range(2_001)).encode() + b"\n1\n", "2,001 columns"),
        (b"a,b\n1," + b"x" * 1_000_001 + b"\n", "Line 2"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_file_is_refused_and_leaves_nothing(
    sign_in: SignIn,
    sessions: async_sessionmaker[AsyncSession],
    settings: Settings,
    content: bytes,
    words: str,
) -> None:
    ada = await sign_in("ada")
    before = _files(settings)
    answer = await upload_csv(ada, content, "bad.csv")
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["loc"][:2] == ["body", "file"]
    assert _files(settings) == before
    async with sessions() as session:
        for table in (Dataset, DatasetVersion):
            assert (await session.execute(select(func.count()).select_from(table))).scalar() == 0


def _files(settings: Settings) -> set[Path]:
    return {path for path in (settings.home / "files").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n", 2),
        (b"a\tb\n1\t2\n3\t4\n", 2),
        (b"a;b\n1;2\n", 1),
        (b"a\n1\n\n2\n", 2),
        (b'a,b\n"x\ny",2\n', 1),
        (b"a,b\n1,2", 1),
        ("a,b\n1,2\n".encode("utf-16"), 1),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), 1),
    ],
)
async def test_unusual_but_good_files_are_read(sign_in: SignIn, content: bytes, rows: int) -> None:
    ada = await sign_in("ada")
    answer = await upload_csv(ada, content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == rows


async def test_numbers_with_exceptions_are_named(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    lines = [b"power"] + [b"130"] * 30 + [b"?"]
    answer = await upload_csv(ada, b"\n".join(lines))
    assert answer.json()["warnings"] == ["power: 1 of 31 values are not numbers: '?'"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([f"{10**30 + i}" for i in range(5)], "beyond 64 bits"),
        ([f'"{i},5"' for i in range(5)], "decimal comma"),
        (["1e999", "2"], "too large or infinite"),
    ],
)
async def test_doubtful_numbers_are_named_at_once(
    sign_in: SignIn, cells: list[str], words: str
) -> None:
    ada = await sign_in("ada")
    lines = ["x;y", *(f"{cell.strip(chr(34))};1" for cell in cells)]
    answer = await upload_csv(ada, "\n".join(lines).encode())
    assert any(words in warning for warning in answer.json()["warnings"]), answer.text


async def test_codes_with_leading_zeros_stay_text(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada, b"zip,x\n01234,1\n99999,2\n")).headers["location"]
    preview = (await ada.get(f"{path}/versions/1/preview")).json()
    assert preview["rows"][0][0] == "01234"


async def test_next_version_leaves_the_first_as_it_was(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada, b"x,y\n1,2\n3,4\n")).headers["location"]
    next_file = {"file": ("more.csv", b"x,y\n1,2\n3,4\n5,6\n")}
    second = await ada.post(f"{path}/versions", files=next_file)
    assert (second.status_code, second.json()["version"]) == (201, 2)
    versions = (await ada.get(f"{path}/versions")).json()["items"]
    assert [(v["version"], v["rows"]) for v in versions] == [(2, 3), (1, 2)]
    assert (await ada.get(path)).json()["rows"] == 3
    assert (await ada.get(f"{path}/versions/3")).status_code == 404


async def test_equal_tables_have_equal_digests_whatever_the_delimiter(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    one = (await upload_csv(ada, b"x,y\n1,a\n2,b\n")).json()
    two = (await upload_csv(ada, b"x;y\r\n1;a\r\n2;b\r\n")).json()
    other = (await upload_csv(ada, b"x,y\n1,a\n2,c\n")).json()
    assert one["content_digest"] == two["content_digest"] != other["content_digest"]


async def test_stranger_is_refused_before_the_body_is_read(anonymous: httpx.AsyncClient) -> None:
    async def body() -> object:
        raise AssertionError("the body was read")
        yield b""

    answer = await anonymous.post(
        "/api/v1/datasets",
        content=body(),  # type: ignore[arg-type]  # raises when it is read
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 401


async def test_announced_size_over_the_limit_is_refused_unread(
    sign_in: SignIn, settings: Settings
) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(
        "/api/v1/datasets",
        content=b"",
        headers={
            "Content-Type": "multipart/form-data; boundary=x",
            "Content-Length": str(settings.uploads.max_bytes * 2),
        },
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/csv", b"a,b\n1,2\n", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=x", b"--x\r\n", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
    ],
)
async def test_broken_forms_are_refused(
    sign_in: SignIn, content_type: str, body: bytes, status: int
) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(
        "/api/v1/datasets", content=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code == status, answer.text


async def test_bad_field_beside_the_file_is_named(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    file = {"file": ("x.csv", b"x,y\n1,2\n")}
    for data in ({"project_id": "x"}, {"owner": "me"}, {"name": ""}):
        answer = await ada.post("/api/v1/datasets", files=file, data=data)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["loc"] == ["body", next(iter(data))]


async def test_foreign_project_is_absent_and_a_readers_one_forbidden(
    sign_in: SignIn, settings: Settings
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    project = (await ada.get("/api/v1/projects")).json()["items"][0]["id"]
    file = {"file": ("x.csv", b"x,y\n1,2\n98765,4\n")}
    before = _files(settings)
    answer = await bob.post("/api/v1/datasets", files=file, data={"project_id": str(project)})
    assert answer.status_code == 404
    assert _files(settings) == before
    reader = await sign_in("victor", Role.VIEWER)
    assert (await reader.post("/api/v1/datasets", files=file)).status_code == 403


async def test_file_name_is_made_safe(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await upload_csv(ada, b"x,y\n1,2\n", "..\\..\\etc/pass<wd>.csv")
    path = made.headers["location"]
    version = (await ada.get(f"{path}/versions/1")).json()
    assert version["file_name"] == "pass_wd_.csv"


async def test_list_is_filtered_by_name(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    for name in ("alpha.csv", "beta.csv", "100%.csv"):
        await upload_csv(ada, b"x,y\n1,2\n", name)
    for words, expected in (("ALPH", ["alpha"]), ("%", ["100%"]), ("zzz", [])):
        page = await ada.get("/api/v1/datasets", params={"name_contains": words})
        assert [item["name"] for item in page.json()["items"]] == expected
