"""An API process with a database of its own, to be killed and started again."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from backend.bootstrap import create_admin
from backend.datasets.workspaces import uploads_folder
from backend.migrate import upgrade
from backend.settings import Settings
from backend.stack.postgres import EmbeddedPostgres, free_port
from tests.conftest import PASSWORD, make_settings

START_SECONDS = 60.0
CHUNK = 1 << 16
BOUNDARY = "b-o-u-n-d-a-r-y"


@dataclass
class LiveApi:
    """`goodfit api` over a home; signs its client in."""

    home: Path
    settings: Settings
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    token: str = ""

    @classmethod
    def over(cls, server: EmbeddedPostgres, database: str, home: Path) -> "LiveApi":
        """With a new database on a server that runs."""
        with psycopg.connect(server.url("goodfit"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        settings = make_settings(server.url(database), home)
        upgrade(settings)
        create_admin(settings, "root", PASSWORD)
        return cls(home, settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it is ready."""
        secrets = self.settings.secrets
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")},
            "GOODFIT_HOME": str(self.home),
            "GOODFIT_API_PORT": str(self.port),
            "GOODFIT_DATABASE__URL": self.settings.database.url.get_secret_value(),
            "GOODFIT_SECRETS__TOKEN_KEY": secrets.token_key.get_secret_value(),
            "GOODFIT_SECRETS__SERVICE_KEY": secrets.service_key.get_secret_value(),
            "GOODFIT_SECRETS__COOKIE_KEY": secrets.cookie_key.get_secret_value(),
            "GOODFIT_URLS__API": self.url,
        }
        log = self.home / "api.log"
        with log.open("ab") as sink:
            self.process = subprocess.Popen(  # our own command
                [sys.executable, "-m", "backend.cli", "api"],
                env=environment,
                stdout=sink,
                stderr=sink,
            )
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, log.read_text()[-3_000:]
            assert time.monotonic() < end, log.read_text()[-3_000:]
            time.sleep(0.05)
        form = {"username": "root", "password": PASSWORD}
        answer = httpx.post(f"{self.url}/api/v1/auth/token", data=form, timeout=30)
        self.token = answer.json()["access_token"]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """As the kernel does it when there is no memory left."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def upload(
        self, content: bytes, key: str, *, after_half: threading.Event | None = None
    ) -> httpx.Response:
        """Send a file in chunks; where an event is given, its second half waits for it."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": key,
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        return httpx.post(
            f"{self.url}/api/v1/datasets",
            content=_form(content, after_half),
            headers=headers,
            timeout=120,
        )

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60)

    def promised_but_missing(self) -> list[str]:
        """Files that versions name and that are not there, or are damaged."""
        found = []
        with psycopg.connect(self.settings.database.url.get_secret_value()) as connection:
            rows = connection.execute(
                "SELECT v.sha256, v.parquet_sha256, p.sha256 FROM dataset_versions v "
                "LEFT JOIN dataset_profiles p ON p.dataset_version_id = v.id"
            )
            for digest in {digest for row in rows for digest in row if digest is not None}:
                path = self.home / "files" / digest[:2] / digest
                is_there = path.exists()
                if not is_there or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                    found.append(digest)
        return found

    def left_over(self) -> list[Path]:
        """Folders of uploads, and files that were on their way into the store."""
        return [*uploads_folder(self.home).glob("*"), *(self.home / "files").glob("partial-*")]


def _form(content: bytes, after_half: threading.Event | None) -> Iterator[bytes]:
    head = 'Content-Disposition: form-data; name="file"; filename="table.csv"\r\n\r\n'
    yield f"--{BOUNDARY}\r\n{head}".encode()
    half = len(content) // 2 // CHUNK * CHUNK
    for start in range(0, len(content), CHUNK):
        if start == half and after_half is not None:
            after_half.wait(60)
        yield content[start : start + CHUNK]
    yield f"\r\n--{BOUNDARY}--\r\n".encode()
