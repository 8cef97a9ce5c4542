"""`goodfit up`: the whole product in one command, until Ctrl-C."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from backend.stack import reaper_process
from backend.stack.binaries import PostgresError
from backend.stack.child import ChildSpec, StackError
from backend.stack.home import make_home
from backend.stack.logs import rotate
from backend.stack.orphans import adopt_orphans, collect_orphans
from backend.stack.ports import choose_ports
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import (
    AFTER_SCHEMA,
    BEFORE_SCHEMA,
    DATABASE_VARIABLE,
    DATABASES,
    LOOPBACK,
    Product,
    Program,
    command,
)
from backend.stack.reaper import MARK_VARIABLE, Reaper
from backend.stack.signals import StopSignals, stop_signals
from backend.stack.state import HomeLock, Owner, State
from backend.stack.supervisor import Report, Stopped, Supervisor

INTERRUPTED: Final = 130
ADDRESS_ORDER: Final = ("dashboard", "api", "mlflow")


def up(
    home: Path, *, report: Report, on_ready: Report | None = None, program: Program = command
) -> int:
    """Starts the stack and stays with it; answers the exit code.

    `report` gets a line at a time; `on_ready` gets the last lines of the start, all at once.
    `program` says how a subcommand is started. A stack that runs already is told of, and that is
    a success.
    """
    home = make_home(home)
    with HomeLock(home) as lock:
        if not lock.acquire():
            report(describe_running(home, lock.owner()))
            return 0
        end_remains(lock.owner())
        State.remove(home)
        for log in (home / "logs").glob("*.log"):
            rotate(log)
        adopt_orphans()
        reaper = Reaper()
        lock.sign(Owner(pid=os.getpid(), mark=reaper.mark))
        try:
            with stop_signals() as signals:
                stack = _Stack(home, reaper, signals, report, program)
                return stack.run(on_ready or report)
        finally:
            State.remove(home)
            reaper.close()
            collect_orphans(())


def end_remains(owner: Owner | None) -> None:
    """Ends what a stack left whose supervisor and reaper were both killed."""
    if owner is not None and owner.mark:
        reaper_process.end([], f"{MARK_VARIABLE}={owner.mark}".encode())


def describe_running(home: Path, owner: Owner | None) -> str:
    """What a second caller is told."""
    pid = f" (pid {owner.pid})" if owner is not None and owner.pid else ""
    state = State.read(home)
    if state is None:
        return f"Goodfit is starting or stopping in {home}{pid}"
    return f"Goodfit runs in {home}{pid}\n{addresses(state.urls)}"


def addresses(urls: Mapping[str, str]) -> str:
    """One address per line, the dashboard first."""
    return "\n".join(f"  {name:<10} {urls[name]}" for name in ADDRESS_ORDER if name in urls)


class _Stack:
    """One run of the product's processes."""

    def __init__(
        self, home: Path, reaper: Reaper, signals: StopSignals, report: Report, program: Program
    ) -> None:
        self._program: Final = program
        self._home: Final = home
        self._report: Final = report
        self._signals: Final = signals
        self._reaper: Final = reaper
        self._began: Final = time.monotonic()
        self._ready = False
        self._urls: dict[str, str] = {}
        self._supervisor: Final = Supervisor(
            reaper=reaper, signals=signals, report=report, changed=self._write_state
        )

    def run(self, on_ready: Report) -> int:
        """From nothing to nothing: starts, watches, ends."""
        failure, exit_code = "", 0
        try:
            link = self._start()
            on_ready(self._welcome(link))
            self._supervisor.run()
        except Stopped:
            exit_code = 0 if self._ready else INTERRUPTED
        except PostgresError as error:
            failure, exit_code = str(error), 1
        except StackError as error:
            failure, exit_code = str(error), error.exit_code
        finally:
            self._stop()
        if failure:  # last, where a person looks
            self._report(failure)
        return exit_code

    def _start(self) -> str:
        environment = os.environ
        host = environment.get("GOODFIT_HOST", "").strip() or LOOPBACK
        ports = choose_ports(environment, host=host, report=self._report)
        product = Product(
            home=self._home, ports=ports, host=host, outer=environment, program=self._program
        )
        self._urls = product.urls
        if DATABASE_VARIABLE in environment:
            self._report(f"{DATABASE_VARIABLE} is not used: `up` runs a PostgreSQL of its own")
        postgres = self._start_postgres()
        processes = product.environment(postgres)
        for name in BEFORE_SCHEMA:
            self._supervisor.start(product.spec(name, processes))
        link = self._supervisor.run_to_end(
            "prepare",
            self._program("prepare"),
            environment=product.environment(postgres, with_admin=True),
            log=product.log("prepare"),
        )
        for name in AFTER_SCHEMA:
            self._supervisor.start(product.spec(name, processes))
        self._supervisor.wait_until_ready()
        self._ready = True
        self._write_state()
        return link.strip()

    def _start_postgres(self) -> EmbeddedPostgres:
        postgres = EmbeddedPostgres(self._home, databases=DATABASES, reaper=self._reaper)
        if not any(self._home.glob("postgres-*")):
            self._report("making the database, this once")
        postgres.prepare()
        if self._signals.requests:
            raise Stopped

        def launch(_mark: Mapping[str, str]) -> subprocess.Popen[bytes]:
            return postgres.launch()

        self._supervisor.start(
            ChildSpec(
                name="postgres",
                launch=launch,
                is_ready=postgres.is_ready,
                log=postgres.log,
                stop_signal=signal.SIGINT,
                grace=20.0,
            )
        )
        self._supervisor.wait_until_ready()
        postgres.create_databases()
        return postgres

    def _welcome(self, link: str) -> str:
        seconds = time.monotonic() - self._began
        lines = [f"Goodfit is ready after {seconds:.1f} s", addresses(self._urls)]
        if link:
            lines += ["Sign in for the first time, once, through this link:", f"  {link}"]
        return "\n".join(lines)

    def _stop(self) -> None:
        State.remove(self._home)
        began = time.monotonic()
        running = bool(self._supervisor.pids)
        if running:
            self._report("stopping")
        self._supervisor.stop()
        if running:
            self._report(f"stopped after {time.monotonic() - began:.1f} s")

    def _write_state(self) -> None:
        if self._ready:
            pids = {"supervisor": os.getpid(), **self._supervisor.pids}
            State(urls=self._urls, pids=pids).write(self._home)
