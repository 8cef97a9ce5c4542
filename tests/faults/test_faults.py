"""Faults drawn at random under load; `make faults` draws many, `make test` a few.

The history of every fit is checked against the states that the design allows.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.lab import Lab

IS_FULL = os.environ.get("GOODFIT_FAULTS") == "full"
SEED = int(os.environ.get("GOODFIT_FAULTS_SEED", "20261121"))
KILLS, ZOMBIES, RESTARTS, OUTAGES = (200, 50, 50, 50) if IS_FULL else (5, 1, 2, 2)
# Longer than the silence after which a worker counts as lost.
STOPPED_SECONDS = 6.0
BACKLOG = 6

pytestmark = pytest.mark.timeout(7_200 if IS_FULL else 300)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("faults"), SEED)
    made.start()
    yield made
    made.stop()


def _keep_busy(lab: Lab) -> None:
    lab.submit(max(0, BACKLOG - lab.unfinished()))


def _finish(lab: Lab, name: str, seen: Counter[str]) -> None:
    took = lab.wait_until_done()
    recorded = lab.wait_until_done(recorded=True)
    ended = lab.check()
    met = ", ".join(f"{phase} {count}" for phase, count in seen.most_common(12))
    told = f"{ended}; last fit {took:.1f} s, last record {recorded:.1f} s; met: {met}"
    sys.stdout.write(f"\n{name}: {told}\n")


def test_killed_workers_lose_no_fit_and_write_none_twice(lab: Lab) -> None:
    seen: Counter[str] = Counter()
    for _ in range(KILLS):
        _keep_busy(lab)
        time.sleep(lab.random.uniform(0.0, 1.5))
        seen.update(lab.phases())
        lab.kill_worker(lab.random.choice(lab.workers))
        if not IS_FULL or lab.random.random() < 0.5:
            _wait_for_a_start(lab)
    _finish(lab, f"{KILLS} kills", seen)


def _wait_for_a_start(lab: Lab) -> None:
    """Until the new worker has begun something, so that the next kill meets work."""
    end = time.monotonic() + 60
    while not lab.rows(
        "select 1 from fits where state = 'running' and heartbeat_at > now() - interval '1 s'"
    ):
        assert time.monotonic() < end, "no worker takes work"
        time.sleep(0.05)


def test_workers_that_come_back_from_the_dead_change_nothing(lab: Lab) -> None:
    seen: Counter[str] = Counter()
    lab.start_worker()
    for _ in range(ZOMBIES):
        _keep_busy(lab)
        _wait_for_a_start(lab)
        worker = lab.random.choice(lab.workers)
        time.sleep(lab.random.uniform(0.0, 0.5))
        seen.update(lab.phases())
        worker.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        worker.send_signal(signal.SIGCONT)
    _finish(lab, f"{ZOMBIES} zombies", seen)


def test_restarts_of_the_database_lose_no_fit(lab: Lab) -> None:
    seen: Counter[str] = Counter()
    for _ in range(RESTARTS):
        _keep_busy(lab)
        time.sleep(lab.random.uniform(0.2, 1.5))
        seen.update(lab.phases())
        lab.restart_postgres()
        lab.submit()
    _finish(lab, f"{RESTARTS} restarts", seen)


def test_outages_of_mlflow_keep_no_fit_waiting_and_make_no_run_twice(lab: Lab) -> None:
    seen: Counter[str] = Counter()
    for _ in range(OUTAGES):
        _keep_busy(lab)
        time.sleep(lab.random.uniform(0.0, 2.0))
        seen.update(lab.phases())
        with lab.proxy.away():
            lab.submit()
            lab.wait_until_done()
            time.sleep(lab.random.uniform(0.0, 1.0))
    _finish(lab, f"{OUTAGES} outages, {lab.proxy.cut} connections cut", seen)
