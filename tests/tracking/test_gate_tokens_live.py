"""A token of the real API at MLflow's real server, by MLflow's own client, until it is revoked."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backend.bootstrap import create_admin
from backend.migrate import upgrade
from backend.stack.postgres import EmbeddedPostgres, free_port
from tests.conftest import PASSWORD, make_settings

START_SECONDS = 180.0
# What the gate remembers of the API's answers lives at most this long; and some for the asking.
REFUSED_WITHIN = 5.5
CLIENT = """
import sys
from mlflow import MlflowClient
client = MlflowClient()
print("experiments found:", len(client.search_experiments()))
try:
    client.set_tag("0" * 32, "mine", "1")
except Exception as error:
    print("writing:", error)
"""


@dataclass
class Lab:
    api: httpx.Client
    mlflow_url: str

    def token(self, scope: str) -> tuple[int, str]:
        answer = self.api.post("/tokens", json={"name": "notebook", "scope": scope})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["token"]

    def status(self, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.mlflow_url}/", headers=headers, timeout=30).status_code

    def run_client(self, **credentials: str) -> str:
        names = ("TOKEN", "USERNAME", "PASSWORD")
        without = {f"MLFLOW_TRACKING_{name}" for name in names}
        environment = {k: v for k, v in os.environ.items() if k not in without}
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", CLIENT],
            env={
                **environment,
                **{f"MLFLOW_TRACKING_{name}": value for name, value in credentials.items()},
                "MLFLOW_TRACKING_URI": self.mlflow_url,
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr


@contextmanager
def process(name: str, environment: dict[str, str], log: Path, health: str) -> Iterator[None]:
    with log.open("wb") as sink:
        running = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "backend.cli", name], env=environment, stderr=sink, stdout=sink
        )
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            assert running.poll() is None, log.read_text()
            try:
                if httpx.get(health, timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
        yield
    finally:
        running.terminate()
        running.wait(30)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("lab")
    server = EmbeddedPostgres(
        home / "postgres", databases=("goodfit", "mlflow", "mlflow_auth"), durable=False
    )
    server.start()
    settings = make_settings(server.url("goodfit"), home)
    upgrade(settings)
    create_admin(settings, "root", PASSWORD)
    api_port, mlflow_port = free_port(), free_port()
    api_url, mlflow_url = (f"http://127.0.0.1:{port}" for port in (api_port, mlflow_port))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOODFIT_")},
        "GOODFIT_HOME": str(home),
        "GOODFIT_DATABASE__URL": server.url("goodfit"),
        "GOODFIT_TRACKING__DATABASE_URL": server.url("mlflow"),
        "GOODFIT_TRACKING__AUTH_DATABASE_URL": server.url("mlflow_auth"),
        "GOODFIT_SECRETS__TOKEN_KEY": settings.secrets.token_key.get_secret_value(),
        "GOODFIT_SECRETS__SERVICE_KEY": settings.secrets.service_key.get_secret_value(),
        "GOODFIT_SECRETS__COOKIE_KEY": settings.secrets.cookie_key.get_secret_value(),
        "GOODFIT_API_PORT": str(api_port),
        "GOODFIT_MLFLOW_PORT": str(mlflow_port),
        "GOODFIT_URLS__API": api_url,
        "GOODFIT_URLS__MLFLOW": mlflow_url,
    }
    with ExitStack() as stack:
        stack.callback(server.stop)
        stack.enter_context(process("api", environment, home / "api.log", f"{api_url}/healthz"))
        stack.enter_context(
            process("mlflow", environment, home / "mlflow.log", f"{mlflow_url}/health")
        )
        client = stack.enter_context(httpx.Client(base_url=f"{api_url}/api/v1", timeout=60))
        form = {"username": "root", "password": PASSWORD}
        access = client.post("/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {access}"
        yield Lab(client, mlflow_url)


def test_mlflows_own_client_works_with_a_token_as_far_as_its_scope(lab: Lab) -> None:
    _, reading = lab.token("read")
    told = lab.run_client(TOKEN=reading)
    assert "experiments found:" in told, told
    assert "This token is for read; this needs write." in told
    _, writing = lab.token("write")
    told = lab.run_client(USERNAME="whoever", PASSWORD=writing)
    assert "experiments found:" in told, told
    # Past the gate: MLflow itself looked for the run.
    assert "writing:" in told
    assert "This token is for" not in told
    refused = lab.run_client(TOKEN="gf_" + "x" * 43)
    assert "experiments found:" not in refused
    assert "401" in refused or "Sign in first" in refused


def test_a_revoked_token_is_refused_within_seconds_and_a_sign_out_leaves_it(lab: Lab) -> None:
    token_id, token = lab.token("read")
    assert lab.status(token) == 200
    assert lab.api.delete(f"/tokens/{token_id}").status_code == 204
    revoked = time.monotonic()
    while lab.status(token) == 200:
        assert time.monotonic() - revoked < REFUSED_WITHIN
        time.sleep(0.1)
    assert lab.status(token) == 401
    _, kept = lab.token("read")
    assert lab.api.delete("/users/me/sessions").status_code == 204
    assert lab.api.get("/users/me").status_code == 401
    assert lab.status(kept) == 200
