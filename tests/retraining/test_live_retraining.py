"""A worker retrains while somebody predicts: the champion moves and no request is dropped."""

import threading
import time
from typing import Any

import httpx

from tests.fits.conftest import Live, live
from tests.registry.registering import PENGUINS_KNN
from tests.retraining.comparing import PENGUINS, with_wrong_labels

__all__ = ["live"]

ROW = {"bill_length_mm": 40.3, "flipper_length_mm": 195}


def _champion(live: Live, content: bytes) -> int:
    fit_id = live.start_fit(dataset_id=live.upload(content), **PENGUINS_KNN)
    live.finished(fit_id)
    name = f"penguins {fit_id}"
    model_id: int = live.client.post("/models", json={"name": name, "fit_id": fit_id}).json()["id"]
    change = {"version": 1, "reason": "first"}
    live.client.put(f"/models/{model_id}/aliases/champion", json=change).raise_for_status()
    return model_id


def _ended(live: Live, retraining_id: int, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = live.client.get(f"/retrainings/{retraining_id}").json()
        if found["finished_at"] is not None:
            return found
        assert time.monotonic() < end, f"{found}\n{live.log.read_text()[-3000:]}"
        time.sleep(0.1)


class _Asker(threading.Thread):
    """Predicts again and again, and keeps what was answered."""

    def __init__(self, live: Live, model_id: int) -> None:
        super().__init__()
        self._url = f"{live.client.base_url}models/{model_id}/predict"
        self._auth = live.client.auth
        self.enough = threading.Event()
        self.answers: list[tuple[int, int | None]] = []

    def wait_for(self, version: int) -> None:
        end = time.monotonic() + 30
        while not self.answers or self.answers[-1][1] != version:
            assert time.monotonic() < end, self.answers[-3:]
            time.sleep(0.02)

    def run(self) -> None:
        with httpx.Client(auth=self._auth, timeout=30) as client:
            while not self.enough.is_set():
                answer = client.get(self._url, params=ROW)
                version = answer.json()["version"] if answer.status_code == 200 else None
                self.answers.append((answer.status_code, version))


def test_champion_moves_under_load_without_a_dropped_request(live: Live) -> None:
    model_id = _champion(live, with_wrong_labels(3))
    asker = _Asker(live, model_id)
    asker.start()
    try:
        asker.wait_for(1)
        answer = live.client.post(
            f"/models/{model_id}/retrain", files={"file": ("better.csv", PENGUINS.encode())}
        )
        assert answer.status_code == 202, answer.text
        ended = _ended(live, answer.json()["id"])
        assert ended["state"] == "promoted", ended
        asker.wait_for(2)
        back = live.client.post(f"/models/{model_id}/rollback", json={"reason": "check"})
        assert back.json()["version"] == 1
        asker.wait_for(1)
    finally:
        asker.enough.set()
        asker.join()
    assert {status for status, _ in asker.answers} == {200}
    seen = [version for _, version in asker.answers]
    assert set(seen) == {1, 2}
    assert (seen[0], seen[-1]) == (1, 1)


def test_cancelled_retraining_ends_its_fit_and_changes_nothing(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(),
        target="species",
        estimator="random_forest",
        params={"n_estimators": 1_000},
    )
    live.finished(fit_id)
    body = {"name": f"forest {fit_id}", "fit_id": fit_id}
    model_id = live.client.post("/models", json=body).json()["id"]
    change = {"version": 1, "reason": "first"}
    live.client.put(f"/models/{model_id}/aliases/champion", json=change)
    started = live.client.post(f"/models/{model_id}/retrain").json()
    live.wait(started["fit_id"], lambda fit: fit["state"] == "running")
    shown = live.client.get(f"/retrainings/{started['id']}").json()
    assert shown["state"] == "running"
    assert shown["progress_message"].startswith("Fitting: ")
    live.client.post(f"/retrainings/{started['id']}/cancel").raise_for_status()
    assert live.fit(started["fit_id"])["state"] == "cancelled"
    assert live.client.get(f"/models/{model_id}").json()["aliases"] == {"champion": 1}


def test_worker_that_stops_leaves_the_retraining_to_the_next(live: Live) -> None:
    model_id = _champion(live, with_wrong_labels(3))
    live.stop_workers()
    answer = live.client.post(
        f"/models/{model_id}/retrain", files={"file": ("better.csv", PENGUINS.encode())}
    )
    worker = live.start_worker()
    fit_id = answer.json()["fit_id"]
    live.wait(fit_id, lambda fit: fit["state"] in ("running", "succeeded"))
    worker.kill()
    worker.wait(10)
    live.workers.clear()
    live.start_worker()
    ended = _ended(live, answer.json()["id"], seconds=90)
    assert ended["state"] == "promoted", ended
    versions = live.client.get(f"/models/{model_id}/versions").json()["items"]
    assert [version["version"] for version in versions] == [2, 1]
