"""Tables in a JSON body: typed as JSON says, kept as sent, refused by column and row."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.settings import Settings
from backend.tables import Dataset
from tests.conftest import SignIn

URL = "/api/v1/datasets"
JSON = {"Content-Type": "application/json"}


async def test_columns_are_typed_as_json_says(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    columns = {
        "whole": [1, 2, None],
        "number": [1, 2.5, -3],
        "flag": [True, None, False],
        "text": ["1", "", None],
        "empty": [None, None, None],
        "huge": [2**70, 1, 2],
    }
    made = await ada.post(URL, json={"name": "kinds", "columns": columns})
    assert made.status_code == 201, made.text
    assert (made.json()["rows"], made.json()["columns"]) == (3, 6)
    assert [text.partition(":")[0] for text in made.json()["warnings"]] == ["text", "huge", "empty"]
    path = made.headers["location"]
    profile = (await ada.get(f"{path}/versions/1/profile")).json()
    types = {column["name"]: column["type"] for column in profile["columns"]}
    assert types == {
        "whole": "integer",
        "number": "number",
        "flag": "boolean",
        "text": "string",
        "empty": "string",
        "huge": "number",
    }
    rows = (await ada.get(f"{path}/versions/1/preview")).json()["rows"]
    assert rows[0][:4] == [1, 1.0, True, "1"]
    assert rows[1][:4] == [2, 2.5, None, None]


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ({"X": [[1, 2], [3, 4]], "y": [5, 6]}, ["x1", "x2", "y"]),
        ({"X": [1, 2], "y": ["a", "b"], "target_name": "kind"}, ["x1", "kind"]),
        ({"X": [[1], [2]], "y": [3, 4], "feature_names": ["speed"]}, ["speed", "y"]),
    ],
)
async def test_arrays_become_named_columns_with_their_target(
    sign_in: SignIn, extra: dict[str, Any], names: list[str]
) -> None:
    ada = await sign_in("ada")
    made = await ada.post(URL, json={"name": "arrays", **extra})
    assert made.status_code == 201, made.text
    profile = (await ada.get(f"{made.headers['location']}/versions/1/profile")).json()
    assert [column["name"] for column in profile["columns"]] == names
    assert profile["suggested_target"]["column"] == names[-1]


async def test_original_is_the_body_as_it_was_sent(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    body = b'{ "name": "spaced",  "columns": {"a": [1.50, 2e0]} }'
    made = await ada.post(URL, content=body, headers=JSON)
    path = f"{made.headers['location']}/versions/1"
    answer = await ada.get(f"{path}/download")
    assert answer.content == body
    assert "spaced.json" in answer.headers["content-disposition"]
    assert (await ada.get(path)).json()["origin"] == "inline"


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"columns": {"a": [1]}}, [["name"]]),
        ({"name": "x"}, [[]]),
        ({"name": "x", "X": [[1]]}, [[]]),
        ({"name": "x", "columns": {"a": [1]}, "y": [1]}, [[]]),
        ({"name": "x", "columns": {}}, [["columns"]]),
        ({"name": "x", "columns": {"a": []}}, [["columns"]]),
        ({"name": "x", "columns": {"a": 1}}, [["columns", "a"]]),
        ({"name": "x", "columns": {"a": [1], "A": [2]}}, [["columns", "A"]]),
        ({"name": "x", "columns": {" ": [1]}}, [["columns", " "]]),
        ({"name": "x", "owner": "me", "columns": {"a": [1]}}, [["owner"]]),
        (
            {"name": "x", "columns": {"a": [1, 2], "b": [1], "c": [1, 2], "d": []}},
            [["columns", "b"], ["columns", "d"]],
        ),
        (
            {"name": "x", "columns": {"a": [1, "x"], "b": ["x", "y"], "c": [None, 1, True][:2]}},
            [["columns", "a", 1]],
        ),
        (
            {"name": "x", "columns": {"a": [True, 1], "b": [1, [2]], "c": [{}, 1]}},
            [["columns", "a", 1], ["columns", "b", 1], ["columns", "c", 0]],
        ),
        ({"name": "x", "columns": {" a": ["x", "\x00"]}}, [["columns", " a", 1]]),
        ({"name": "x", "columns": {"a": [0.5, 10**400]}}, [["columns", "a", 1]]),
        ({"name": "x", "X": [[1, 2], [3]], "y": [1, 2, 3]}, [["X", 1], ["y"]]),
        ({"name": "x", "X": [[1, 2], [3, "a"]], "y": [1, "b"]}, [["X", 1, 1], ["y", 1]]),
        ({"name": "x", "X": [1, "a"], "y": [1, 2]}, [["X", 1]]),
        ({"name": "x", "X": [[]], "y": [1]}, [["X"]]),
        ({"name": "x", "X": [[1]], "y": [1], "feature_names": ["a", "b"]}, [["feature_names"]]),
        ({"name": "x", "X": [[1]], "y": [1], "feature_names": ["Y"]}, [["target_name"]]),
        ({"name": "x", "X": [list(range(2_001))], "y": [1]}, [["X"]]),
        ([], [[]]),
    ],
)
async def test_bad_table_is_refused_by_place_and_leaves_nothing(
    sign_in: SignIn,
    sessions: async_sessionmaker[AsyncSession],
    settings: Settings,
    body: Any,
    places: list[list[str | int]],
) -> None:
    ada = await sign_in("ada")
    before = sorted((settings.home / "files").rglob("*"))
    answer = await ada.post(URL, json=body)
    assert answer.status_code == 422, answer.text
    assert [entry["loc"] for entry in answer.json()["errors"]] == [["body", *p] for p in places]
    assert sorted((settings.home / "files").rglob("*")) == before
    async with sessions() as session:
        assert (await session.execute(select(func.count()).select_from(Dataset))).scalar() == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"name": "x", "columns": {"a": [NaN]}}', 400),
        (b'{"name": "x", "columns": {"a": [Infinity]}}', 400),
        (b'{"name": "x", "columns": {"a": [1e999]}}', 422),
        (b'{"name": "x", "columns": {"a": [1], "a": [2]}}', 422),
        (b'{"name": "x", "columns": {"a": ["\\ud800"]}}', 422),
        (b'{"name": "\\ud800", "columns": {"a": [1]}}', 422),
        (b'{"name": "x", "columns": {"\\ud800": [1]}}', 422),
        (b'{"name": "x", "columns": {"a": [' + b"9" * 5_000 + b"]}}", 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
    ],
)
async def test_hostile_body_is_refused(sign_in: SignIn, body: bytes, status: int) -> None:
    ada = await sign_in("ada")
    answer = await ada.post(URL, content=body, headers=JSON)
    assert answer.status_code == status, answer.text


async def test_body_over_the_limit_is_refused_announced_or_not(
    sign_in: SignIn, settings: Settings
) -> None:
    ada = await sign_in("ada")
    size = settings.uploads.max_json_bytes
    announced = await ada.post(
        URL, content=b"{}", headers={**JSON, "Content-Length": str(size + 1)}
    )

    async def chunks() -> Any:
        for _ in range(size // 1_000_000 + 1):
            yield b" " * 1_000_000

    counted = await ada.post(URL, content=chunks(), headers=JSON)
    assert (announced.status_code, counted.status_code) == (413, 413)


async def test_sent_twice_with_a_key_it_is_one_dataset(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    body = {"name": "once", "columns": {"a": [1, 2]}}
    key = {"Idempotency-Key": "k1"}
    first, second = [await ada.post(URL, json=body, headers=key) for _ in range(2)]
    assert first.json() == second.json()
    other = await ada.post(URL, json={**body, "name": "else"}, headers=key)
    assert other.status_code == 422


async def test_next_version_may_come_as_json(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await ada.post(URL, json={"name": "v", "columns": {"a": [1]}})).headers["location"]
    second = await ada.post(f"{path}/versions", json={"columns": {"a": [1, 2]}})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert second.json()["file_name"] == "table.json"
    upload = await ada.post(f"{path}/versions", files={"file": ("a.csv", b"a\n1\n2\n")})
    assert upload.json()["content_digest"] == second.json()["content_digest"]


async def test_numbers_in_text_are_doubted(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    columns = {"power": ["130"] * 30 + ["?"]}
    made = await ada.post(URL, content=json.dumps({"name": "d", "columns": columns}), headers=JSON)
    assert made.json()["warnings"] == ["power: 1 of 31 values are not numbers: '?'"]
