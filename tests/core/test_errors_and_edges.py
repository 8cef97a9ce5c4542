"""One error shape everywhere, and none of it is a 500."""

from collections.abc import AsyncIterator

import httpx
import pytest

from backend.core.access import Role
from tests.conftest import SignIn, upload_csv

PROBLEM_KEYS = {"type", "title", "status", "detail", "code", "request_id"}


def assert_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert set(body) - {"errors"} == PROBLEM_KEYS
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_unknown_path_and_method_have_the_one_shape(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    assert_problem(await ada.get("/api/v1/nothing"), 404)
    assert_problem(await ada.put("/api/v1/fits"), 405)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        b'{"username": "\\u0000x", "password": "long enough text"}',
        b'{"username": "\\ud800", "password": "long enough text"}',
        b'{"username": "x' + b"9" * 5_000 + b'", "password": "long enough text"}',
        b'{"username": ' + b"9" * 100_000 + b"}",
        b'{"username": NaN}',
        b'{"\\ud800": 1}',
        b"null",
        b"\xff\xfe",
    ],
)
async def test_hostile_json_is_refused_without_a_500(sign_in: SignIn, body: bytes) -> None:
    admin = await sign_in("root", Role.ADMIN)
    answer = await admin.post(
        "/api/v1/users", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
    assert_problem(answer, answer.status_code)


async def test_large_json_is_refused_before_it_is_read(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    answer = await ada.post("/api/v1/fits", content=b'{"a": "' + b"x" * 10_000_000 + b'"}')
    assert_problem(answer, 413)


@pytest.mark.parametrize("path", ["auth/token", "auth/link", "fits"])
async def test_large_body_is_refused_whatever_it_calls_itself(sign_in: SignIn, path: str) -> None:
    ada = await sign_in("ada")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 11_000_000
    assert_problem(await ada.post(f"/api/v1/{path}", content=body, headers=form), 413)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1_000_000):
            yield body[start : start + 1_000_000]

    counted = await ada.post(f"/api/v1/{path}", content=chunks(), headers=form)
    assert_problem(counted, 413 if counted.status_code == 413 else 400)


@pytest.mark.parametrize("query", ["name_contains=%00", "sort=%00", "cursor=%00", "mine=x"])
async def test_hostile_queries_are_refused(sign_in: SignIn, query: str) -> None:
    ada = await sign_in("ada")
    assert_problem(await ada.get(f"/api/v1/datasets?{query}"), 422)


@pytest.mark.parametrize("object_id", ["0", "-1", "9" * 30, "x", "1e3", "%00"])
async def test_impossible_ids_are_refused(sign_in: SignIn, object_id: str) -> None:
    ada = await sign_in("ada")
    answer = await ada.get(f"/api/v1/datasets/{object_id}")
    assert_problem(answer, 422)


async def test_request_id_is_kept_when_it_is_harmless(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    kept = await ada.get("/api/v1/fits", headers={"X-Request-ID": "abc-12345678"})
    assert kept.headers["x-request-id"] == "abc-12345678"
    replaced = await ada.get("/api/v1/fits", headers={"X-Request-ID": 'x" y'})
    assert replaced.headers["x-request-id"] != 'x" y'


async def test_pages_join_to_all_rows_once_in_both_orders(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    names = ["b", "a", "c", "a", "b"]
    for name in names:
        assert (await upload_csv(ada, b"x,y\n1,2\n3,4\n", f"{name}.csv")).status_code == 201
    for sort, expected in (("name", sorted(names)), ("-name", sorted(names, reverse=True))):
        seen: list[dict[str, object]] = []
        cursor = None
        while True:
            query = {"sort": sort, "limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await ada.get("/api/v1/datasets", params=query)).json()
            seen += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [item["name"] for item in seen] == expected
        assert len({item["id"] for item in seen}) == len(names)


async def test_foreign_or_mixed_up_cursors_are_refused(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    for _ in range(3):
        await upload_csv(ada, b"x,y\n1,2\n3,4\n")
    cursor = (await ada.get("/api/v1/datasets?limit=1")).json()["next_cursor"]
    for query in ({"cursor": "AAAA"}, {"cursor": cursor, "sort": "name"}, {"sort": "password"}):
        assert_problem(await ada.get("/api/v1/datasets", params=query), 422)
    for limit in ("0", "201", "x"):
        assert_problem(await ada.get(f"/api/v1/datasets?limit={limit}"), 422)


async def test_stale_if_match_is_refused_and_a_fresh_one_wins(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await upload_csv(ada)
    path, etag = made.headers["location"], made.headers["etag"]
    first = await ada.patch(path, json={"name": "one"}, headers={"If-Match": etag})
    assert first.status_code == 200
    assert_problem(await ada.patch(path, json={"name": "two"}, headers={"If-Match": etag}), 412)
    assert_problem(await ada.delete(path, headers={"If-Match": etag}), 412)
    fresh = first.headers["etag"]
    assert (await ada.delete(path, headers={"If-Match": fresh})).status_code == 204
    assert_problem(await ada.get(path), 404)


async def test_repeated_key_makes_one_thing_and_refuses_another_body(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    ada.headers["Idempotency-Key"] = "first upload"
    first = await upload_csv(ada, b"x,y\n1,2\n3,4\n")
    again = await upload_csv(ada, b"x,y\n1,2\n3,4\n")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert_problem(await upload_csv(ada, b"x,y\n1,2\n3,5\n"), 422)
    assert len((await ada.get("/api/v1/datasets")).json()["items"]) == 1
