"""Uploads over HTTP: broken files, a killed API, and a large file while others work."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from backend.stack.postgres import EmbeddedPostgres
from bench.reading import write_table
from tests.datasets import broken_files
from tests.datasets.broken_files import BrokenFile
from tests.datasets.killings import (
    check_recovery,
    kill_after,
    random_moments,
    table,
    whole_upload_seconds,
)
from tests.datasets.live_api import LiveApi
from tests.datasets.whole_files import whole_files

Say = Callable[[str, str], None]
MUTATED: Final = 60
KILLS: Final = 20
SAMPLE_SECONDS: Final = 0.02
LARGE_MEGABYTES: Final = 200


@contextmanager
def _live(folder: Path, name: str) -> Iterator[LiveApi]:
    home = folder / name
    home.mkdir()
    server = EmbeddedPostgres(home / "postgres", databases=("goodfit",), durable=False)
    server.start()
    api = LiveApi.over(server, "uploads", home)
    api.start()
    try:
        yield api
    finally:
        api.stop()
        server.stop()


class _PeakMemory:
    """The most that any process below the API held, looked at all the time."""

    def __init__(self, api: LiveApi) -> None:
        assert api.process is not None
        self._top = psutil.Process(api.process.pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.bytes = 0

    def __enter__(self) -> "_PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            for process in (self._top, *self._top.children(recursive=True)):
                try:
                    self.bytes = max(self.bytes, process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue


def _broken() -> Iterator[BrokenFile]:
    for name in whole_files():
        yield from broken_files.mutated(name, MUTATED, seed=1)
    for made in ("archives", "workbooks", "columnar", "texts", "odd_but_good"):
        yield from getattr(broken_files, made)()


def measure_broken_uploads(folder: Path, say: Say) -> None:
    """Answers to broken files, what they leave, and the most memory that one of them took."""
    files = list(_broken())
    statuses: dict[int, int] = {}
    slowest = (0.0, "")
    with _live(folder, "broken") as api, api.client() as client:
        with _PeakMemory(api) as peak:
            for file in files:
                started = time.perf_counter()
                answer = client.post(
                    "/datasets",
                    files={"file": (file.name, file.content)},
                    data=dict(file.fields),
                )
                slowest = max(slowest, (time.perf_counter() - started, file.name))
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        left, missing = len(api.left_over()), len(api.promised_but_missing())
        datasets = _count(client)
    say("broken files", f"{len(files):8d}, answered {dict(sorted(statuses.items()))}")
    say("server errors", f"{sum(n for s, n in statuses.items() if s >= 500):8d}")
    say("datasets beyond the accepted ones", f"{datasets - statuses.get(201, 0):8d}")
    say("folders left, files missing", f"{left:8d}, {missing}")
    say("slowest answer", f"{slowest[0]:8.2f} s, {slowest[1]}")
    say("peak memory of one process", f"{peak.bytes / 1e6:8.0f} MB")


def _count(client: httpx.Client) -> int:
    count, cursor = 0, None
    while True:
        page: dict[str, Any] = client.get(
            "/datasets", params={"limit": 200, **({"cursor": cursor} if cursor else {})}
        ).json()
        count += len(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return count


def measure_killed_uploads(folder: Path, say: Say) -> None:
    """kill -9 of the API at random moments of an upload."""
    with _live(folder, "killed") as api:
        seconds = whole_upload_seconds(api)
        for number, moment in enumerate(random_moments(KILLS, seconds, seed=7)):
            content, key = table(1_000 + number), f"kill-{number}"
            kill_after(api, content, key, moment)
            check_recovery(api, content, key)
    say("API killed in an upload", f"{KILLS:8d} times within {seconds:.2f} s: all recovered")


def measure_large_upload(folder: Path, say: Say) -> None:
    """One large file, and what other requests wait meanwhile."""
    path = folder / "large.csv"
    write_table(path, LARGE_MEGABYTES * 1_000_000)
    with _live(folder, "large") as api, api.client() as client, path.open("rb") as file:
        waits: list[float] = []
        done = threading.Event()
        others = threading.Thread(target=_ask_again_and_again, args=(api, done, waits))
        others.start()
        started = time.perf_counter()
        answer = client.post("/datasets", files={"file": ("large.csv", file)}, timeout=600)
        seconds = time.perf_counter() - started
        done.set()
        others.join()
        assert answer.status_code == 201, answer.text
        preview = time.perf_counter()
        client.get(f"{answer.headers['location'].removeprefix('/api/v1')}/versions/1/preview")
        preview = time.perf_counter() - preview
    path.unlink()
    say(f"upload of {LARGE_MEGABYTES} MB over HTTP", f"{seconds:8.2f} s")
    say("its preview", f"{preview * 1000:8.1f} ms")
    slow = sum(wait > 0.1 for wait in waits)
    say(
        "other requests meanwhile",
        f"{statistics.median(waits) * 1000:8.1f} ms median, {max(waits) * 1000:.1f} slowest, "
        f"{slow} of {len(waits)} over 100 ms",
    )


def _ask_again_and_again(api: LiveApi, done: threading.Event, waits: list[float]) -> None:
    with api.client() as client:
        for path in ("/users/me", "/datasets"):
            client.get(path)
        while not done.is_set():
            for path in ("/users/me", "/datasets", "/projects"):
                started = time.perf_counter()
                assert client.get(path).status_code == 200
                waits.append(time.perf_counter() - started)
                time.sleep(0.01)
