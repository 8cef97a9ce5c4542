"""Limits and live news of running fits, in the real API and worker."""

import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from tests.live import Live, fit_processes

LONG: dict[str, Any] = {"estimator": "random_forest", "params": {"n_estimators": 2_000}}


@pytest.fixture(scope="module")
def slow(live: Live) -> int:
    """A table on which 2,000 trees take many seconds."""
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(generator.normal(size=(3_000, 8)), schema=[f"x{i}" for i in range(8)])
    sink = io.BytesIO()
    frame.with_columns(y=pl.col("x0") * 2 + pl.col("x1")).write_csv(sink)
    return live.upload(sink.getvalue())


def _events(live: Live, fit_id: int, after: int = 0) -> Iterator[tuple[str, int | None, Any]]:
    """Kind, number and content of each server-sent event, until the server ends the stream."""
    headers = {"Last-Event-ID": str(after)}
    with live.client.stream("GET", f"/fits/{fit_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind, number = "", None
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                number = int(value)
            elif name == "data":
                yield kind, number, json.loads(value)
                number = None


def test_fit_beyond_its_time_ends_with_the_limit(live: Live, slow: int) -> None:
    fit_id = live.start_fit(dataset_id=slow, target="y", **LONG, limits={"seconds": 1})
    fit = live.finished(fit_id)
    assert (fit["state"], fit["attempt"]) == ("failed", 1)
    assert fit["error"] == {"code": "time_limit", "message": "time limit 1 s", "column": None}


def test_fit_beyond_its_memory_ends_with_the_limit_and_another_goes_on(
    live: Live, slow: int
) -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(generator.normal(size=(60_000, 30)), schema=[f"x{i}" for i in range(30)])
    sink = io.BytesIO()
    frame.with_columns(y=pl.col("x0") * 2 + pl.col("x1")).write_csv(sink)
    greedy = live.start_fit(
        dataset_id=live.upload(sink.getvalue()),
        target="y",
        estimator="random_forest",
        params={"n_estimators": 500},
        limits={"memory_bytes": 100_000_000},
    )
    modest = live.start_fit(dataset_id=slow, target="y", estimator="ridge")
    fit = live.finished(greedy, 90)
    assert (fit["state"], fit["attempt"]) == ("failed", 1)
    assert fit["error"]["code"] == "memory_limit"
    assert fit["error"]["message"] == "memory limit 100 MB"
    done = live.finished(modest)
    assert done["state"] == "succeeded"
    assert done["peak_memory_bytes"] > 10_000_000


def test_watched_fit_tells_its_story_in_order_and_again_from_any_point(
    live: Live, slow: int
) -> None:
    fit_id = live.start_fit(dataset_id=slow, target="y", estimator="ridge")
    told = list(_events(live, fit_id))
    kinds = [kind for kind, _, _ in told]
    states = [content["content"]["state"] for kind, _, content in told if kind == "state"]
    assert states == ["queued", "running", "succeeded"]
    assert kinds[-1] == "end"
    assert told[-1][2] == {"state": "succeeded"}
    assert "progress" in kinds
    numbers = [number for _, number, _ in told if number is not None]
    assert numbers == sorted(set(numbers))
    rest = [number for _, number, _ in _events(live, fit_id, numbers[0]) if number is not None]
    assert rest == numbers[1:]
    log = live.client.get(f"/fits/{fit_id}/log", params={"after": numbers[0]}).json()
    assert [item["id"] for item in log["items"]] == rest
    assert log["last_id"] == rest[-1]


def test_stream_ends_when_the_session_does(live: Live, slow: int) -> None:
    fit_id = live.start_fit(dataset_id=slow, target="y", **LONG)
    base = str(live.client.base_url)
    form = {"username": "root", "password": "correct horse battery"}
    token = httpx.post(f"{base}auth/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        with httpx.stream("GET", f"{base}fits/{fit_id}/events", headers=headers) as answer:
            for _ in answer.iter_lines():
                begun.set()
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert begun.wait(20)
    assert httpx.post(f"{base}auth/logout", headers=headers).status_code < 300
    assert ended.wait(10)
    assert live.client.post(f"/fits/{fit_id}/cancel").status_code == 202


def test_killed_process_is_tried_again(live: Live, slow: int) -> None:
    fit_id = live.start_fit(
        dataset_id=slow, target="y", estimator="random_forest", params={"n_estimators": 300}
    )
    live.wait(fit_id, lambda fit: fit["progress"] > 0.1)
    (process,) = fit_processes(live.workers[-1])
    process.kill()
    fit = live.finished(fit_id, 90)
    assert (fit["state"], fit["attempt"]) == ("succeeded", 2)


def test_worker_added_while_running_takes_work_and_a_stopped_one_is_fenced_off(
    live: Live, slow: int
) -> None:
    first = live.workers[-1]
    fit_id = live.start_fit(dataset_id=slow, target="y", **LONG)
    live.wait(fit_id, lambda fit: fit["progress"] > 0.1)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        second = live.start_worker()
        fit = live.wait(fit_id, lambda fit: fit["attempt"] == 2 and fit["progress"] > 0.1, 150)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    time.sleep(3)
    fit = live.fit(fit_id)
    assert (fit["state"], fit["attempt"]) == ("running", 2), "the old worker changes nothing"
    assert not fit_processes(first), "and it has ended its process"
    waiting = [live.start_fit(dataset_id=slow, target="y", **LONG) for _ in range(3)]
    live.wait(waiting[-1], lambda fit: fit["state"] == "running", 20)
    assert len(fit_processes(second)) == 2
    for each in (fit_id, *waiting):
        assert live.client.post(f"/fits/{each}/cancel").status_code == 202
    live.workers.remove(second)
    second.terminate()
    assert second.wait(30) == 0
