"""MLflow's real server behind the gate, as its own process, on a real Postgres."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import joblib
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sqlalchemy import make_url

from backend.stack.postgres import EmbeddedPostgres, free_port
from backend.tracking.mlflow import MlflowTracker
from backend.tracking.port import FitRecord, RecordedRun
from tests.tracking.record import make_record
from tests.tracking.stand_ins import SERVICE_KEY, Api, running

START_SECONDS = 180.0
SECRET = "another-secret-for-tests-0123456789"
DASHBOARD = "http://dashboard.test"
CLIENT_VARIABLES = (
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_TRACKING_URI",
)


@dataclass
class MlflowServer:
    url: str
    api: Api
    home: Path
    pid: int
    passwords: tuple[str, ...]

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def platform(self) -> httpx.Client:
        auth = ("goodfit-service", SERVICE_KEY)
        return httpx.Client(base_url=self.url, auth=auth, timeout=30)


def start_server(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "backend.cli", "mlflow"],
            env=environment,
            stdout=output,
            stderr=output,
        )


@pytest.fixture(scope="session")
def tracking_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(
        tmp_path_factory.mktemp("tracking"), databases=("mlflow", "mlflow_auth"), durable=False
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mlflow_server(
    tracking_postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    # The space is on purpose: people keep projects in such folders.
    home = tmp_path_factory.mktemp("mlflow home")
    port = free_port()
    api = Api()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOODFIT_")},
        "GOODFIT_HOME": str(home),
        "GOODFIT_DATABASE__URL": tracking_postgres.url("mlflow"),
        "GOODFIT_TRACKING__DATABASE_URL": tracking_postgres.url("mlflow"),
        "GOODFIT_TRACKING__AUTH_DATABASE_URL": tracking_postgres.url("mlflow_auth"),
        "GOODFIT_SECRETS__SERVICE_KEY": SERVICE_KEY,
        "GOODFIT_SECRETS__TOKEN_KEY": SECRET,
        "GOODFIT_SECRETS__COOKIE_KEY": SECRET,
        "GOODFIT_MLFLOW_PORT": str(port),
        "GOODFIT_URLS__API": api.url,
        "GOODFIT_URLS__DASHBOARD": DASHBOARD,
        "GOODFIT_URLS__MLFLOW": url,
    }
    with running(api):
        process = start_server(environment, home / "mlflow.log")
        try:
            _wait_until_ready(url, process, home / "mlflow.log")
            password = make_url(tracking_postgres.url("mlflow")).password
            passwords = (str(password), SERVICE_KEY)
            yield MlflowServer(url, api, home, process.pid, passwords)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted pipeline over a number and a text: predicts three times the number."""
    frame = pd.DataFrame(
        {"size": [1.0, 2.0, 3.0, 4.0], "kind": pd.Series(["x", "y", "x", "y"], dtype=object)}
    )
    columns = ColumnTransformer(
        [
            ("numeric", StandardScaler(), ["size"]),
            ("categorical", OneHotEncoder(sparse_output=False), ["kind"]),
        ]
    )
    pipeline = Pipeline([("preprocess", columns), ("estimate", LinearRegression())])
    pipeline.fit(frame, frame["size"] * 3)
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(pipeline, path, compress=1)
    return path


@pytest.fixture
def client_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client is set up by the environment; what a test sets does not outlive it."""
    for name in CLIENT_VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def tracker(mlflow_server: MlflowServer, client_environment: None) -> MlflowTracker:  # noqa: ARG001  # sets up
    return MlflowTracker(mlflow_server.url, SERVICE_KEY, 20)


@pytest.fixture(scope="session")
def recorded(
    mlflow_server: MlflowServer, model_path: Path
) -> Callable[[str, int], tuple[FitRecord, RecordedRun]]:
    """Records a fit of a person in a project of that person, once."""
    done: dict[tuple[str, int], tuple[FitRecord, RecordedRun]] = {}

    def record(username: str, fit_id: int) -> tuple[FitRecord, RecordedRun]:
        if (username, fit_id) not in done:
            made = make_record(fit_id, username, model_path)
            with pytest.MonkeyPatch.context() as patch:
                for name in CLIENT_VARIABLES:
                    patch.setenv(name, "")
                    patch.delenv(name)
                run = MlflowTracker(mlflow_server.url, SERVICE_KEY, 20).record_fit(made)
            done[username, fit_id] = made, run
        return done[username, fit_id]

    return record
