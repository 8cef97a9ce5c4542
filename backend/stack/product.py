"""The product's processes: their environment, programs and signs of readiness."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.stack.child import ChildSpec, launch_program
from backend.stack.home import HomeSecrets, load_secrets
from backend.stack.ports import port_variable
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.readiness import ReadyCheck, answers, exists

DATABASES: Final = ("goodfit", "mlflow", "mlflow_auth")
DATABASE_VARIABLE: Final = "GOODFIT_DATABASE__URL"
HEARTBEAT_FILE: Final = "run/worker.heartbeat"
LOOPBACK: Final = "127.0.0.1"
# Only the first step sees them; a process that runs for months has no use for a password.
ADMIN_VARIABLES: Final = frozenset(
    f"GOODFIT_ADMIN_{name}{form}" for name in ("USERNAME", "PASSWORD") for form in ("", "_FILE")
)
READY_PATHS: Final = {"mlflow": "/health", "api": "/readyz", "dashboard": "/_stcore/health"}
# In the order of their start; they end in the reverse order, before PostgreSQL.
# MLflow, the slowest, keeps to its own databases and need not wait for our schema.
BEFORE_SCHEMA: Final = ("mlflow",)
AFTER_SCHEMA: Final = ("api", "worker", "dashboard")
GRACE_SECONDS: Final = {"mlflow": 8.0, "api": 10.0, "worker": 10.0, "dashboard": 5.0}

Program = Callable[[str], list[str]]


def command(name: str) -> list[str]:
    """One of our own subcommands, run by this interpreter."""
    # -P: a folder that happens to be called `backend` where `up` was typed is not ours.
    return [sys.executable, "-P", "-m", "backend.cli", name]


def database_environment(postgres: EmbeddedPostgres) -> dict[str, str]:
    """The three databases, by the names of the settings."""
    sqlalchemy = {
        name: postgres.url(name).replace("postgresql://", "postgresql+psycopg://", 1)
        for name in DATABASES
    }
    return {
        DATABASE_VARIABLE: postgres.url("goodfit"),
        "GOODFIT_TRACKING__DATABASE_URL": sqlalchemy["mlflow"],
        "GOODFIT_TRACKING__AUTH_DATABASE_URL": sqlalchemy["mlflow_auth"],
    }


def secret_environment(secrets: HomeSecrets) -> dict[str, str]:
    """The home's secrets, by the names of the settings."""
    return {
        "GOODFIT_SECRETS__TOKEN_KEY": secrets.token_key,
        "GOODFIT_SECRETS__SERVICE_KEY": secrets.service_key,
        "GOODFIT_SECRETS__COOKIE_KEY": secrets.cookie_key,
    }


@dataclass(frozen=True)
class Product:
    """One embedded stack: where it lives, and where it listens."""

    home: Path
    ports: Mapping[str, int]
    host: str
    outer: Mapping[str, str]
    """The environment that `up` was called with."""
    program: Program
    """The arguments that start a subcommand."""

    @property
    def urls(self) -> dict[str, str]:
        """The addresses as people see them."""
        return {
            name: self.outer.get(f"GOODFIT_URLS__{name.upper()}") or self._local_url(name)
            for name in ("api", "dashboard", "mlflow")
        }

    def environment(
        self, postgres: EmbeddedPostgres, *, with_admin: bool = False
    ) -> dict[str, str]:
        """What each process gets; never on a command line, where all accounts could read it."""
        kept = {
            name: text
            for name, text in self.outer.items()
            if with_admin or name not in ADMIN_VARIABLES
        }
        urls = {f"GOODFIT_URLS__{name.upper()}": url for name, url in self.urls.items()}
        internal = {
            f"GOODFIT_URLS__{name.upper()}_INTERNAL": self._local_url(name)
            for name in ("api", "mlflow")
        }
        ports = {port_variable(name): str(port) for name, port in self.ports.items()}
        return {
            # What the person set stands, except where only the stack knows the answer.
            **self._unless_set(secret_environment(load_secrets(self.home))),
            **self._unless_set(internal),
            "MALLOC_ARENA_MAX": "2",
            **kept,
            **urls,
            **ports,
            **database_environment(postgres),
            "GOODFIT_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
        }

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def spec(self, name: str, environment: Mapping[str, str]) -> ChildSpec:
        """How the named service is started and watched."""

        def launch(mark: Mapping[str, str]) -> subprocess.Popen[bytes]:
            if name == "worker":
                (self.home / HEARTBEAT_FILE).unlink(missing_ok=True)
            return launch_program(
                self.program(name), environment={**environment, **mark}, log=self.log(name)
            )

        return ChildSpec(
            name=name,
            launch=launch,
            is_ready=self._ready_check(name),
            log=self.log(name),
            grace=GRACE_SECONDS[name],
        )

    def _ready_check(self, name: str) -> ReadyCheck:
        if name == "worker":
            return exists(self.home / HEARTBEAT_FILE)
        return answers(self._reachable_host, self.ports[name], READY_PATHS[name])

    @property
    def _reachable_host(self) -> str:
        return LOOPBACK if self.host in ("0.0.0.0", "", "::") else self.host  # noqa: S104 - compared

    def _local_url(self, name: str) -> str:
        host = self._reachable_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports[name]}"

    def _unless_set(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Without those that the person set, directly or by a file."""
        return {
            name: text
            for name, text in variables.items()
            if name not in self.outer and f"{name}_FILE" not in self.outer
        }
