"""A list of 50 out of 100,000 fits sorted by a metric, against MLflow's runs/search over 10,000.

One fit really runs and is then copied with other metrics, so that each row weighs what a real one
does; the same for MLflow, whose server is a plain one: without sign-in, gate or anything of ours.
Both are asked call by call in turn, by the same small client over one kept connection each.
"""

import http.client
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import psycopg
from psycopg import sql

from backend.bootstrap import create_admin
from backend.migrate import upgrade
from backend.settings import DatabaseSettings, SecretSettings, Settings
from backend.stack.postgres import EmbeddedPostgres, free_port
from bench.stack import PASSWORD

FITS: Final = 100_000
RUNS: Final = 10_000
# Copies go to the newest ones in turn.
PROJECTS: Final = 4
COPIED_TO: Final = "(select max(id) from projects) - n % 4"
PAGE: Final = 50
WARM_UP: Final = 30
CALLS: Final = 200
READY_SECONDS: Final = 600.0
PENGUINS: Final = Path(__file__).resolve().parents[1] / "tests" / "data" / "penguins.csv"
# Of MLflow's store: what a run consists of.
RUN_TABLES: Final = ("latest_metrics", "metrics", "params", "tags")
Report = Callable[[str, str], None]
Call = Callable[[], dict[str, Any]]


def measure_fit_list(folder: Path, say: Report) -> None:
    """Say each figure when it is known."""
    server = EmbeddedPostgres(folder / "fit-list", databases=("goodfit", "mlflow"))
    server.start()
    try:
        with ExitStack() as stack:
            address, headers = _goodfit(stack, server, folder)
            fit = _one_fit(address, headers)
            began = time.perf_counter()
            _copy_fits(server.url("goodfit"), fit["id"])
            say(f"{FITS:,} fits put in", f"{time.perf_counter() - began:8.1f} s")
            mlflow = _mlflow(stack, server)
            _copy_runs(server.url("mlflow"), _one_run(mlflow, fit))
            _measure(_calls(address, headers, mlflow), say)
    finally:
        server.stop()


def _goodfit(
    stack: ExitStack, server: EmbeddedPostgres, folder: Path
) -> tuple[str, dict[str, str]]:
    """The API's address and a signed-in caller; a worker that has done one fit and is gone."""
    keys = {name: secrets.token_urlsafe(32) for name in ("token_key", "service_key", "cookie_key")}
    settings = Settings(
        home=folder / "fit-list-home",
        database=DatabaseSettings(url=server.url("goodfit")),
        secrets=SecretSettings(**keys),
    )
    upgrade(settings)
    create_admin(settings, "bench", PASSWORD)
    port = str(free_port())
    environment = {
        "GOODFIT_HOME": str(settings.home),
        "GOODFIT_DATABASE__URL": server.url("goodfit"),
        "GOODFIT_API_PORT": port,
        "GOODFIT_URLS__MLFLOW": f"http://127.0.0.1:{free_port()}",
        "GOODFIT_LOG_LEVEL": "ERROR",
        **{f"GOODFIT_SECRETS__{name.upper()}": key for name, key in keys.items()},
    }
    address = f"127.0.0.1:{port}"
    stack.enter_context(_running([sys.executable, "-m", "backend.cli", "api"], environment))
    _wait_for(f"http://{address}/healthz")
    form = {"username": "bench", "password": PASSWORD}
    answer = httpx.post(f"http://{address}/api/v1/auth/token", data=form, timeout=60)
    headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
    with _running([sys.executable, "-m", "backend.cli", "worker"], environment):
        _one_fit(address, headers)
    return address, headers


def _one_fit(address: str, headers: dict[str, str]) -> dict[str, Any]:
    """The one fit that really ran; made when there is none."""
    with httpx.Client(base_url=f"http://{address}/api/v1", headers=headers, timeout=60) as client:
        items = client.get("/fits").raise_for_status().json()["items"]
        if items:
            fit: dict[str, Any] = items[0]
            return fit
        for number in range(PROJECTS):
            client.post("/projects", json={"name": f"lake {number}"}).raise_for_status()
        file = {"file": (PENGUINS.name, PENGUINS.read_bytes())}
        dataset = client.post("/datasets", files=file).raise_for_status().json()
        request = {
            "dataset_id": dataset["id"],
            "target": "body_mass_g",
            "estimator": "ordinary_least_squares",
            "tags": {"season": "2026", "by": "bench"},
        }
        made = client.post("/fits", json=request).raise_for_status().json()
        while made["finished_at"] is None:
            time.sleep(0.1)
            made = client.get(f"/fits/{made['id']}").json()
        if made["state"] != "succeeded":
            raise SystemExit(f"the fit {made['state']}: {made['error']}")
        return {**made}


def _columns(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """Those that are written, and not computed or numbered."""
    rows = connection.execute(
        "select column_name from information_schema.columns where table_name = %s"
        " and table_schema = 'public' and is_generated = 'NEVER' and is_identity = 'NO'",
        [table],
    )
    return [row[0] for row in rows]


def _copy(
    connection: psycopg.Connection[Any], table: str, source: str, changed: dict[str, str]
) -> None:
    names = _columns(connection, table)
    values = [sql.SQL(changed[n]) if n in changed else sql.Identifier("t", n) for n in names]
    connection.execute(
        sql.SQL("insert into {table} ({names}) select {values} from {table} t, {source}").format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
            source=sql.SQL(source),
        )
    )


def _copy_fits(url: str, fit_id: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        changed = {
            "name": "'fit ' || n",
            "project_id": COPIED_TO,
            "metrics": "(select jsonb_object_agg(key, value::float8 * (0.5 + random() + 0 * n))"
            " from jsonb_each(t.metrics))",
            "created_at": "t.created_at + n * interval '1 minute'",
        }
        source = f"generate_series(1, {FITS - 1}) n where t.id = {fit_id}"
        _copy(connection, "fits", source, changed)
        connection.execute(
            "insert into fit_metrics (fit_id, name, value, project_id)"
            " select f.id, m.key, m.value::float8, f.project_id"
            " from fits f, jsonb_each(f.metrics) m on conflict do nothing"
        )
        # What autovacuum does by itself some time later.
        connection.execute("vacuum analyze")


def _mlflow(stack: ExitStack, server: EmbeddedPostgres) -> str:
    address = f"127.0.0.1:{free_port()}"
    store = server.url("mlflow").replace("postgresql://", "postgresql+psycopg://", 1)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", address.partition(":")[2], "--workers", "1"]
    stack.enter_context(_running(command, {}))
    _wait_for(f"http://{address}/health")
    return address


def _one_run(address: str, fit: dict[str, Any]) -> str:
    """A run with what our record of the fit holds."""
    with httpx.Client(base_url=f"http://{address}/api/2.0/mlflow", timeout=60) as client:

        def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
            return answer

        now = time.time_ns() // 1_000_000
        body = {"experiment_id": "0", "start_time": now, "run_name": fit["name"]}
        run_id: str = post("/runs/create", body)["run"]["info"]["run_id"]
        metrics = [
            {"key": name, "value": value, "timestamp": now, "step": 0}
            for name, value in fit["metrics"].items()
        ]
        params = [
            {"key": name, "value": str(fit[name])} for name in ("estimator", "target", "version")
        ]
        tags = [{"key": name, "value": value} for name, value in fit["tags"].items()]
        post(
            "/runs/log-batch",
            {"run_id": run_id, "metrics": metrics, "params": params, "tags": tags},
        )
        post("/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": now})
        return run_id


def _copy_runs(url: str, run_id: str) -> None:
    source = f"generate_series(1, {RUNS - 1}) n where t.run_uuid = '{run_id}'"
    changed = {"run_uuid": "md5(n::text)", "name": "'run ' || n"}
    with psycopg.connect(url, autocommit=True) as connection:
        _copy(connection, "runs", source, changed)
        for table in RUN_TABLES:
            value = {"value": "t.value * (0.5 + random())"} if "metrics" in table else {}
            _copy(connection, table, source, {"run_uuid": changed["run_uuid"], **value})
        connection.execute("vacuum analyze")


def _calls(address: str, headers: dict[str, str], mlflow: str) -> dict[str, Call]:
    order = {"sort": "-metrics.r2", "limit": PAGE}
    first = _caller(address, f"/api/v1/fits?{urlencode(order)}", headers)
    page = first()
    for _ in range(20):
        there = urlencode({**order, "cursor": page["next_cursor"]})
        page = _caller(address, f"/api/v1/fits?{there}", headers)()
    last_of_first = first()["items"][-1]["metrics"]["r2"]
    if any(item["metrics"]["r2"] > last_of_first for item in page["items"]):
        raise SystemExit("the pages are not in order")
    search = {"experiment_ids": ["0"], "max_results": PAGE, "order_by": ["metrics.r2 DESC"]}
    theirs = _caller(mlflow, "/api/2.0/mlflow/runs/search", {}, search)
    if not len(first()["items"]) == len(theirs()["runs"]) == PAGE:
        raise SystemExit("a page is not full")
    return {
        "fits by a metric, first page": first,
        "fits by a metric, 21st page": _caller(address, f"/api/v1/fits?{there}", headers),
        "fits by their time": _caller(address, f"/api/v1/fits?limit={PAGE}", headers),
        "who am I (for comparison)": _caller(address, "/api/v1/users/me", headers),
        "MLflow runs/search": theirs,
    }


def _measure(calls: dict[str, Call], say: Report) -> None:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + CALLS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        say(name, f"{medians[name]:8.2f} ms median, {p95:.2f} ms p95")
    ratio = medians["MLflow runs/search"] / medians["fits by a metric, first page"]
    say(f"{FITS:,} fits against {RUNS:,} runs", f"{ratio:8.1f} times faster")


def _caller(address: str, path: str, headers: dict[str, str], body: Any = None) -> Call:
    """One kept connection, as little of a client as there can be."""
    connection = http.client.HTTPConnection(address, timeout=60)
    content = None if body is None else json.dumps(body).encode()
    sent = headers if body is None else {**headers, "Content-Type": "application/json"}

    def call() -> dict[str, Any]:
        connection.request("GET" if content is None else "POST", path, content, sent)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != httpx.codes.OK:
            raise SystemExit(f"{path}: {answer.status} {text[:500]!r}")
        parsed: dict[str, Any] = json.loads(text)
        return parsed

    return call


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603  # our own commands
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            # MLflow's own server does not stop while it starts.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise SystemExit(f"nothing answers at {url}")
        time.sleep(0.2)
