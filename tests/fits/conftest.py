"""The API and a worker as real processes over a database of their own; MLflow is away."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from backend.bootstrap import create_admin
from backend.migrate import upgrade
from backend.stack.postgres import EmbeddedPostgres, free_port
from tests.conftest import DATA, PASSWORD, make_settings

READY_SECONDS = 60
TOKEN_SECONDS = 300


@dataclass
class Live:
    """Running processes, a signed-in client, and what tests do to them."""

    client: httpx.Client
    environment: dict[str, str]
    log: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(  # our own command
                [sys.executable, "-m", "backend.cli", "worker"],
                env=self.environment,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(20)
        self.workers.clear()

    def upload(self, content: bytes | None = None) -> int:
        body = (DATA / "penguins.csv").read_bytes() if content is None else content
        answer = self.client.post("/datasets", files={"file": ("penguins.csv", body)})
        assert answer.status_code == 201, answer.text
        dataset_id: int = answer.json()["id"]
        return dataset_id

    def start_fit(self, **request: Any) -> int:
        answer = self.client.post("/fits", json=request)
        assert answer.status_code == 202, answer.text
        fit_id: int = answer.json()["id"]
        return fit_id

    def fit(self, fit_id: int) -> dict[str, Any]:
        content: dict[str, Any] = self.client.get(f"/fits/{fit_id}").json()
        return content

    def wait(
        self, fit_id: int, until: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while not until(fit := self.fit(fit_id)):
            assert time.monotonic() < end, f"{fit}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)
        return fit

    def finished(self, fit_id: int, seconds: float = 60) -> dict[str, Any]:
        return self.wait(fit_id, lambda fit: fit["finished_at"] is not None, seconds)


class SignedIn(httpx.Auth):
    """Signs in, and again before the ten minutes of an access token are over."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._token = ""
        self._until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() > self._until:
            form = {"username": "root", "password": PASSWORD}
            answer = httpx.post(f"{self._base_url}auth/token", data=form, timeout=30)
            self._token = answer.raise_for_status().json()["access_token"]
            self._until = time.monotonic() + TOKEN_SECONDS
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def fit_processes(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Children of the worker's fork server: one for each running fit."""
    children = psutil.Process(worker.pid).children(recursive=True)
    return [child for child in children if child.ppid() != worker.pid]


def gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    home = tmp_path_factory.mktemp("live")
    server = EmbeddedPostgres(home / "postgres", databases=("live",), durable=False)
    server.start()
    settings = make_settings(server.url("live"), home)
    upgrade(settings)
    create_admin(settings, "root", PASSWORD)
    port, dead_port = free_port(), free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GOODFIT_")},
        "GOODFIT_HOME": str(home),
        "GOODFIT_DATABASE__URL": server.url("live"),
        "GOODFIT_SECRETS__TOKEN_KEY": settings.secrets.token_key.get_secret_value(),
        "GOODFIT_SECRETS__SERVICE_KEY": settings.secrets.service_key.get_secret_value(),
        "GOODFIT_SECRETS__COOKIE_KEY": settings.secrets.cookie_key.get_secret_value(),
        "GOODFIT_API_PORT": str(port),
        "GOODFIT_URLS__MLFLOW": f"http://127.0.0.1:{dead_port}",
    }
    log = home / "processes.log"
    with log.open("ab") as sink:
        api = subprocess.Popen(  # our own command
            [sys.executable, "-m", "backend.cli", "api"], env=environment, stderr=sink
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)
    running = Live(client, environment, log)
    running.start_worker()
    try:
        _sign_in(client, api, log)
        yield running
    finally:
        running.stop_workers()
        api.send_signal(signal.SIGTERM)
        api.wait(20)
        client.close()
        server.stop()


def _sign_in(client: httpx.Client, api: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        assert api.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < end, log.read_text()[-3000:]
        with contextlib.suppress(httpx.TransportError):
            if client.get("/estimators").status_code == 401:
                client.auth = SignedIn(str(client.base_url))
                return
        time.sleep(0.2)
