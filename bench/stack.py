"""A stack of its own for one bench run: started, signed in to, measured, stopped."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from backend.stack.postgres import free_port

PASSWORD = "seven herons over the delta"  # noqa: S105  # of a stack that lives for one run
STARTED = ("supervisor", "postgres", "mlflow", "api", "worker", "dashboard")


@dataclass
class BenchStack:
    """`goodfit up` in a folder."""

    home: Path
    process: subprocess.Popen[bytes] | None = None

    def up(self) -> float:
        """Start; answers the seconds until everything was ready."""
        environment = {
            **os.environ,
            "GOODFIT_HOME": str(self.home),
            "GOODFIT_ADMIN_USERNAME": "bench",
            "GOODFIT_ADMIN_PASSWORD": PASSWORD,
            **{f"GOODFIT_{name}_PORT": str(free_port()) for name in ("API", "DASHBOARD", "MLFLOW")},
        }
        state = self.home / "state.json"
        started = time.perf_counter()
        command = [sys.executable, "-m", "backend.cli", "up"]
        self.process = subprocess.Popen(  # noqa: S603  # our own command
            command, env=environment, stdout=subprocess.DEVNULL
        )
        while not (state.exists() and set(STARTED) <= set(self.state()["pids"])):
            if self.process.poll() is not None:
                raise RuntimeError(f"the stack ended; see {self.home}/logs")
            time.sleep(0.02)
        return time.perf_counter() - started

    def state(self) -> dict[str, dict[str, str]]:
        """What `goodfit up` says about itself."""
        content: dict[str, dict[str, str]] = json.loads((self.home / "state.json").read_text())
        return content

    def down(self) -> None:
        """Stop and wait."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def client(self) -> httpx.Client:
        """A client that is signed in."""
        base = self.state()["urls"]["api"] + "/api/v1"
        client = httpx.Client(base_url=base, timeout=120)
        form = {"username": "bench", "password": PASSWORD}
        token = client.post("/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def memory(self) -> dict[str, tuple[int, int]]:
        """RSS and PSS in bytes of each process with all that it started."""
        sizes = {}
        for name in STARTED:
            top = psutil.Process(int(self.state()["pids"][name]))
            family = [top] if name == "supervisor" else [top, *top.children(recursive=True)]
            infos = [process.memory_full_info() for process in family]
            sizes[name] = (sum(i.rss for i in infos), sum(i.pss for i in infos))
        return sizes
