"""Every answer has its id and headers, whoever refuses; every job knows who caused it."""

import json
import logging

import httpx
import pytest
from fastapi import FastAPI

from backend.core.hosts import AllowedHosts, host_name
from backend.core.logs import JsonFormatter, bind_job, bind_request
from backend.jobs.children import ChildProcesses, Work


def assert_is_ours(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"] == "of-this-test"


async def _ask(app: FastAPI, path: str, host: str) -> httpx.Response:
    # Raises what the application raises: an answered error must not go on to the server.
    transport = httpx.ASGITransport(app=app)
    headers = {"X-Request-ID": "of-this-test", "Host": host}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


async def test_unexpected_error_is_a_problem_with_id_and_headers(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("not for everybody")

    app.state.sessions = broken
    answer = await _ask(app, "/readyz", "test")
    assert_is_ours(answer, 500, "internal_error")
    assert "not for everybody" not in answer.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("host", ["evil.example", "test.evil.example", "", "[::1]:80"])
async def test_foreign_host_is_a_problem_with_id_and_headers(app: FastAPI, host: str) -> None:
    assert_is_ours(await _ask(app, "/healthz", host), 400, "unknown_host")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Example.org:8000", "example.org"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_host_name_is_read_without_the_port(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ("*", "anything", 200),
        ("*.example.org", "a.example.org", 200),
        ("*.example.org", "example.org.evil", 400),
        ("*.example.org", "evilexample.org", 400),
        ("[::1]", "[::1]:9000", 200),
    ],
)
async def test_allowed_names_may_have_a_wildcard(allowed: str, host: str, status: int) -> None:
    app = FastAPI()
    app.get("/")(lambda: "here")
    app.add_middleware(AllowedHosts, allowed=[allowed])
    assert (await _ask(app, "/", host)).status_code == status


def _line() -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "name": "n"})
    found: dict[str, object] = json.loads(JsonFormatter().format(record))
    return found


async def test_log_line_of_a_job_has_both_ids() -> None:
    bind_request("of-this-test")
    assert _line()["request_id"] == "of-this-test"
    assert "job_id" not in _line()
    bind_job(7, "of-this-test")
    assert (_line()["request_id"], _line()["job_id"]) == ("of-this-test", 7)
    bind_job(8, 'not "an id')
    assert (_line()["request_id"], _line()["job_id"]) == ("-", 8)
    bind_job(None)


def answer_with_ids(_request: object, _report: object) -> dict[str, object]:
    """Runs in a child process."""
    return _line()


async def test_child_process_logs_with_the_ids_of_its_job() -> None:
    bind_job(9, "of-this-test")

    async def ignore(_fraction: float, _message: str) -> None:
        """No progress comes."""

    work = Work(f"{__name__}:answer_with_ids", {})
    answer = await ChildProcesses(()).run(work, ignore)
    bind_job(None)
    assert (answer["request_id"], answer["job_id"]) == ("of-this-test", 9)
