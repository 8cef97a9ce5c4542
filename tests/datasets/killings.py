"""Uploads whose API is killed in the middle, and what has to hold afterwards."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil

from tests.datasets.live_api import LiveApi

SWEPT_WITHIN_SECONDS = 20.0


def table(seed: int, rows: int = 40_000) -> bytes:
    """A CSV file that no other seed makes."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 5)).round(4)
    lines = "\n".join(",".join(map(str, row)) for row in numbers.tolist())
    return f"a,b,c,d,e\n{lines}\n".encode()


def whole_upload_seconds(api: LiveApi) -> float:
    """How long an upload takes that nobody disturbs; the first one loads libraries."""
    for seed in (900_001, 900_002):
        started = time.monotonic()
        assert api.upload(table(seed), f"whole-{seed}").status_code == 201
        seconds = time.monotonic() - started
    return seconds


def kill_in_body(api: LiveApi, content: bytes, key: str) -> None:
    """When half of the body has come."""
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(api.upload, content, key, after_half=go_on)
        end = time.monotonic() + 20
        while not any(api.home.glob("uploads/*/upload")):
            assert time.monotonic() < end, "nothing came"
            time.sleep(0.01)
        _kill(api)
        go_on.set()
        assert isinstance(sending.exception(60), httpx.TransportError)


def kill_after(api: LiveApi, content: bytes, key: str, seconds: float) -> None:
    """That long after the first byte was sent; by then it may have been answered."""
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(api.upload, content, key)
        time.sleep(seconds)
        _kill(api)
        error = sending.exception(60)
        assert error is None or isinstance(error, httpx.TransportError), error


def _kill(api: LiveApi) -> None:
    assert api.process is not None
    children = psutil.Process(api.process.pid).children(recursive=True)
    api.kill()
    _, alive = psutil.wait_procs(
        [child for child in children if _works_on_tables(child)], timeout=10
    )
    assert not alive, "a process that worked on a table outlived its API"


def _works_on_tables(process: psutil.Process) -> bool:
    try:
        return process.nice() > 0
    except psutil.NoSuchProcess:
        return False


def check_recovery(api: LiveApi, content: bytes, key: str) -> None:
    """Start again: nothing is promised that is not there, nothing left, and the retry works."""
    assert api.promised_but_missing() == []
    api.start()
    end = time.monotonic() + SWEPT_WITHIN_SECONDS
    while api.left_over():
        assert time.monotonic() < end, api.left_over()
        time.sleep(0.05)
    first, again = (api.upload(content, key) for _ in range(2))
    assert first.status_code == 201, first.text
    assert again.json()["id"] == first.json()["id"]
    with api.client() as client:
        kept = client.get(f"/datasets/{first.json()['id']}/versions/1/download")
    assert kept.content == content
    assert api.promised_but_missing() == []
    assert api.left_over() == []


def random_moments(count: int, seconds: float, seed: int = 0) -> list[float]:
    """Over the whole time of an upload and a little beyond."""
    dice = random.Random(seed)  # noqa: S311  # no secret
    return [dice.uniform(0.0, 1.2 * seconds) for _ in range(count)]
