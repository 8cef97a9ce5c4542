"""`up` over the stand-ins as a process of its own, and what can be seen of it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from backend.stack.postgres import free_port

SERVICES = ("mlflow", "api", "worker", "dashboard")


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(home: Path) -> dict[int, str]:
    """Every living process that was started for this home, whoever its parent is now."""
    found = {}
    for process in psutil.process_iter(["pid", "status", "cmdline"]):
        if process.pid == os.getpid() or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        line = " ".join(process.info["cmdline"] or [])
        try:
            ours = (
                str(home) in line
                or process.environ().get("GOODFIT_HOME") == str(home)
                or process.cwd().startswith(str(home))  # PostgreSQL's own children
            )
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
        if ours:
            found[process.pid] = line
    return found


@dataclass
class Running:
    """A stack that was started for a test."""

    home: Path
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "state.json").read_text())
        return found

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = self.state["pids"]
        return found

    def text(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.text()
            return "Goodfit is ready" in self.text()

        wait_for(ready, f"ready\n{self.text()}")

    def ended(self, seconds: float = 30) -> int:
        code = self.process.wait(seconds)
        wait_for(lambda: not processes_of(self.home), str(processes_of(self.home)))
        return code


def stack_environment(**more: str) -> dict[str, str]:
    """The caller's, without its settings and with ports that are free."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")}
    ports = {f"GOODFIT_{name}_PORT": str(free_port()) for name in ("API", "DASHBOARD", "MLFLOW")}
    return {**kept, **ports, **more}


@contextmanager
def running(home: Path, **environment: str) -> Iterator[Running]:
    output = home.parent / f"{home.name}.output"
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.stack.stand_in", "up", str(home)],
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            env=stack_environment(**environment),
            start_new_session=True,
        )
    stack = Running(home, process, output)
    try:
        yield stack
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
