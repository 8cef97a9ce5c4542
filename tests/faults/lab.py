"""The product as real processes whose parts can be killed, stopped and cut off."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg

from backend.bootstrap import create_admin
from backend.migrate import upgrade
from backend.stack.postgres import EmbeddedPostgres, free_port
from backend.tracking.withdrawal import FIT_TAG
from tests.conftest import DATA, PASSWORD, make_settings
from tests.faults.history import Step, violations
from tests.faults.proxy import Proxy
from tests.live import SignedIn

START_SECONDS = 120.0
# A fit may not wait longer than this once nothing is broken any more.
STUCK_SECONDS = 60.0
DATABASES = ("goodfit", "mlflow", "mlflow_auth")
# Small fits of different length, so that a kill meets each phase.
REQUESTS: tuple[dict[str, Any], ...] = (
    {"target": "body_mass_g", "estimator": "ordinary_least_squares"},
    {"target": "species", "estimator": "k_nearest_neighbors"},
    {"target": "species", "estimator": "random_forest", "params": {"n_estimators": 40}},
    {"target": "body_mass_g", "estimator": "ridge", "validation": {"kind": "kfold"}},
    {"target": "body_mass_g", "estimator": "random_forest", "params": {"n_estimators": 150}},
)


@dataclass
class Lab:
    """Postgres, MLflow behind a proxy, the API and workers over one home."""

    home: Path
    seed: int
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    # The request of each acknowledged fit, as its position in REQUESTS.
    acknowledged: dict[int, int] = field(default_factory=dict)

    def start(self) -> None:
        """Returns when fits can be asked for."""
        self.random = random.Random(self.seed)  # noqa: S311  # draws faults, no secrets
        self.postgres = EmbeddedPostgres(self.home / "postgres", databases=DATABASES, durable=False)
        self.postgres.start()
        settings = make_settings(self.postgres.url("goodfit"), self.home)
        upgrade(settings)
        create_admin(settings, "root", PASSWORD)
        api_port, mlflow_port = free_port(), free_port()
        self.proxy = Proxy(mlflow_port)
        self.proxy.start()
        secrets = settings.secrets
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GOODFIT_")},
            "GOODFIT_HOME": str(self.home),
            "GOODFIT_DATABASE__URL": self.postgres.url("goodfit"),
            "GOODFIT_TRACKING__DATABASE_URL": self.postgres.url("mlflow"),
            "GOODFIT_TRACKING__AUTH_DATABASE_URL": self.postgres.url("mlflow_auth"),
            "GOODFIT_SECRETS__TOKEN_KEY": secrets.token_key.get_secret_value(),
            "GOODFIT_SECRETS__SERVICE_KEY": secrets.service_key.get_secret_value(),
            "GOODFIT_SECRETS__COOKIE_KEY": secrets.cookie_key.get_secret_value(),
            "GOODFIT_API_PORT": str(api_port),
            "GOODFIT_MLFLOW_PORT": str(mlflow_port),
            "GOODFIT_URLS__API": f"http://127.0.0.1:{api_port}",
            "GOODFIT_URLS__MLFLOW": f"http://127.0.0.1:{self.proxy.port}",
        }
        self.mlflow = self._launch("mlflow")
        self.api = self._launch("api")
        self.start_worker()
        base = f"http://127.0.0.1:{api_port}"
        self._wait_for(f"{base}/readyz", self.api)
        self._wait_for(f"http://127.0.0.1:{self.proxy.port}/health", self.mlflow)
        self.client = httpx.Client(
            base_url=f"{base}/api/v1", auth=SignedIn(f"{base}/api/v1/"), timeout=30
        )
        body = (DATA / "penguins.csv").read_bytes()
        answer = self.client.post("/datasets", files={"file": ("penguins.csv", body)})
        self.dataset_id = answer.raise_for_status().json()["id"]

    def stop(self) -> None:
        """Ends everything that was started."""
        for process in (*self.workers, self.api, self.mlflow):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in (*self.workers, self.api, self.mlflow):
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
        self.client.close()
        self.proxy.stop()
        self.postgres.stop()

    def _launch(self, name: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-P", "-m", "backend.cli", name],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for(self, url: str, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, url
            assert time.monotonic() < end, url
            with suppress(httpx.TransportError):
                if httpx.get(url, timeout=5).status_code == 200:
                    return
            time.sleep(0.1)

    def start_worker(self) -> subprocess.Popen[bytes]:
        worker = self._launch("worker")
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """As the kernel does it; another takes its place."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)
        self.start_worker()

    def restart_postgres(self) -> None:
        """An immediate shutdown: no checkpoint, every connection is cut."""
        process = self.postgres.process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        self.postgres.start()

    def submit(self, count: int = 1) -> None:
        """Asks for fits until each is acknowledged; a lost answer is asked for again."""
        for _ in range(count):
            which = self.random.randrange(len(REQUESTS))
            self.acknowledged[self._ask(which)] = which

    def _ask(self, which: int) -> int:
        body = {"dataset_id": self.dataset_id, **REQUESTS[which]}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        end = time.monotonic() + STUCK_SECONDS
        while True:
            with suppress(httpx.TransportError):
                answer = self.client.post("/fits", json=body, headers=headers)
                if answer.status_code == 202:
                    fit_id: int = answer.json()["id"]
                    return fit_id
                # 401 would be a session lost; 5xx other than 503 a bug.
                assert answer.status_code in (409, 503), answer.text
            assert time.monotonic() < end, "no fit could be asked for"
            time.sleep(0.1)

    def rows(
        self, statement: LiteralString, *given: object, database: str = "goodfit"
    ) -> list[tuple[Any, ...]]:
        """What a statement answers, asked again while the server restarts."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(self.postgres.url(database), connect_timeout=5) as connection:
                    return connection.execute(statement, given).fetchall()
            except psycopg.OperationalError:
                assert time.monotonic() < end
                time.sleep(0.1)

    def unfinished(self) -> int:
        """Fits that wait or run."""
        found = self.rows("select count(*) from fits where state in ('queued', 'running')")
        count: int = found[0][0]
        return count

    def phases(self) -> Mapping[str, int]:
        """How many fits stand at which point at this moment."""
        found = self.rows(
            "select case when state = 'queued' then 'queued' else progress_message end, count(*) "
            "from fits where state in ('queued', 'running') group by 1 "
            "union all select 'recording', count(*) from fits "
            "where state = 'succeeded' and tracking = 'pending' having count(*) > 0"
        )
        return {str(phase): int(count) for phase, count in found}

    def wait_until_done(self, *, recorded: bool = False) -> float:
        """Seconds until every fit has ended, and MLflow knows all that succeeded.

        Stuck is what makes no step for a minute.
        """
        began = moved = time.monotonic()
        before: list[tuple[Any, ...]] = []
        while left := self.rows(
            "select id, state, attempt, tracking from fits where state in ('queued', 'running') "
            "or (%s and state = 'succeeded' and tracking = 'pending') order by id",
            recorded,
        ):
            if left != before:
                before, moved = left, time.monotonic()
            assert time.monotonic() - moved < STUCK_SECONDS, f"stuck: {left}"
            time.sleep(0.1)
        return time.monotonic() - began

    def check(self) -> dict[str, int]:
        """Nothing is lost, nothing was written twice, MLflow has each fit once.

        Answers how many fits ended how.
        """
        states = dict(self.rows("select id, state from fits"))
        lost = set(self.acknowledged) - set(states)
        assert not lost, f"acknowledged and gone: {sorted(lost)}"
        found = {
            fit_id: problems
            for fit_id in states
            if (problems := violations(self._steps(fit_id)) + self._wrong_results(fit_id))
        }
        assert not found, json.dumps(found, indent=1)
        self._check_runs({fit_id for fit_id, state in states.items() if state == "succeeded"})
        return {state: list(states.values()).count(state) for state in set(states.values())}

    def _steps(self, fit_id: int) -> list[Step]:
        found = self.rows(
            "select content->>'state', attempt from fit_events "
            "where fit_id = %s and kind = 'state' order by id",
            fit_id,
        )
        return [Step(state, attempt) for state, attempt in found]

    def _wrong_results(self, fit_id: int) -> list[str]:
        """A succeeded fit has the numbers of its request, and its files; a failed one a reason."""
        ((state, metrics, kept, artifacts, lost, error),) = self.rows(
            "select state, metrics, (select jsonb_object_agg(name, value) from fit_metrics "
            "where fit_id = fits.id), artifacts, lost_attempts, error from fits "
            "where id = %s",
            fit_id,
        )
        if state == "failed":
            is_poison = error["code"] == "worker_lost" and lost >= 3
            return [] if is_poison else [f"failed: {error}"]
        found = [] if metrics == kept else [f"metrics {metrics} and {kept}"]
        which = self.acknowledged.get(fit_id)
        if which is not None and metrics != self._reference(which, metrics):
            found.append("other numbers than the first fit of this kind")
        for digest in artifacts.values():
            if not (self.home / "files" / digest[:2] / digest).exists():
                found.append(f"file {digest} is missing")
        return found

    def _reference(self, which: int, metrics: dict[str, float]) -> dict[str, float]:
        known: dict[int, dict[str, float]] = self.__dict__.setdefault("references", {})
        return known.setdefault(which, metrics)

    def _check_runs(self, succeeded: set[int]) -> None:
        found = self.rows(
            "select t.value::bigint, count(*) from tags t join runs r using (run_uuid) "
            "where t.key = %s and r.lifecycle_stage = 'active' group by 1",
            FIT_TAG,
            database="mlflow",
        )
        runs = {int(fit_id): int(count) for fit_id, count in found}
        twice = {fit_id: count for fit_id, count in runs.items() if count > 1}
        assert not twice, f"fits with several runs: {twice}"
        assert set(runs) == succeeded, sorted(set(runs) ^ succeeded)
