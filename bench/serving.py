"""Single-row predictions over HTTP: ours, signed in, against `mlflow models serve`, open.

Both serve the same registered model, on the same machine, in the same minute, call by call in
turn, asked by the same small client over one kept connection each.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from backend.stack.postgres import free_port

CALLS = 300
WARM_UP = 30
READY_SECONDS = 120
PENGUIN = {"bill_length_mm": 40.3, "flipper_length_mm": 195.0}
Call = Callable[[], Any]


def measure_serving(
    client: httpx.Client, mlflow_url: str, penguins: Path
) -> dict[str, list[float]]:
    """Milliseconds of each call, by who answered."""
    model = _registered(client, penguins)
    token = client.headers["Authorization"].partition(" ")[2]
    with _served_by_mlflow(model["mlflow_uri"], mlflow_url, token) as port:
        path = f"{client.base_url.path.rstrip('/')}/models/{model['id']}/predict"
        own = urlsplit(str(client.base_url))
        theirs = _caller(
            "127.0.0.1",
            port,
            "/invocations",
            {"dataframe_split": {"columns": list(PENGUIN), "data": [list(PENGUIN.values())]}},
        )
        ours = _caller(
            own.hostname or "", own.port or 80, path, {"rows": [PENGUIN]}, f"Bearer {token}"
        )
        if ours()["predictions"] != theirs()["predictions"]:
            raise SystemExit("the two servers do not answer alike")
        return _in_turn({"goodfit": ours, "mlflow": theirs})


def _in_turn(calls: dict[str, Call]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + CALLS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def _caller(host: str, port: int, path: str, body: dict[str, Any], authorization: str = "") -> Call:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    content = json.dumps(body)
    headers = {"Content-Type": "application/json", "Authorization": authorization}

    def call() -> Any:
        connection.request("POST", path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    return call


def _registered(client: httpx.Client, penguins: Path) -> dict[str, Any]:
    """A champion that stands in MLflow's registry, too."""
    with penguins.open("rb") as file:
        dataset = client.post("/datasets", files={"file": ("penguins.csv", file)}).json()
    request = {
        "dataset_id": dataset["id"],
        "target": "species",
        "features": list(PENGUIN),
        "estimator": "k_nearest_neighbors",
    }
    fit = _until(client, f"/fits/{client.post('/fits', json=request).json()['id']}", "tracking")
    body = {"name": "penguins", "fit_id": fit["id"]}
    model = client.post("/models", json=body).json()
    url = f"/models/{model['id']}"
    client.put(f"{url}/aliases/champion", json={"version": 1, "reason": "bench"})
    return _until(client, url, "mirror")


def _until(client: httpx.Client, path: str, field: str) -> dict[str, Any]:
    end = time.monotonic() + READY_SECONDS
    while (found := client.get(path).json())[field] != "recorded":
        if time.monotonic() > end:
            raise SystemExit(f"{path} was not recorded")
        time.sleep(0.2)
    return dict(found)


@contextmanager
def _served_by_mlflow(uri: str, tracking_url: str, token: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri]
    command += ["--port", str(port), "--env-manager", "local"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": tracking_url,
        "MLFLOW_TRACKING_TOKEN": token,
    }
    server = subprocess.Popen(  # noqa: S603  # MLflow's own command
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ping", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise SystemExit("`mlflow models serve` did not start")
        time.sleep(0.3)


def describe(times: dict[str, list[float]]) -> list[tuple[str, str]]:
    """Lines of the report: each median with its 95th percentile, and the ratio of medians."""
    lines = []
    for name, values in times.items():
        late = statistics.quantiles(values, n=20)[-1]
        text = f"{statistics.median(values):8.2f} ms median, {late:.2f} ms 95th percentile"
        lines.append((f"one row over HTTP, {name}", text))
    ratio = statistics.median(times["goodfit"]) / statistics.median(times["mlflow"])
    return [*lines, ("ratio of medians", f"{ratio:8.2f}")]
