"""The data folder of the embedded PostgreSQL: where it lies, how it is made, who runs over it."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.stack.account import ServerAccount
from backend.stack.binaries import PostgresError

# Folders that survive a restart of the machine and that any account can pass through.
OUTSIDE: Final = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - a fresh folder, mkdtemp
OUTSIDE_PREFIX: Final = "goodfit-"
PID_FILE: Final = "postmaster.pid"
PORT_LINE: Final = 3
READY_LINE: Final = 7
ORPHAN_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Cluster:
    """One data folder and the account that owns it."""

    folder: Path
    link: Path
    account: ServerAccount

    @classmethod
    def locate(cls, home: Path, account: ServerAccount, *, major: int, durable: bool) -> "Cluster":
        """`home/postgres-<major>`, a folder or a link to one outside.

        The server's account must get at its data. Where it cannot pass through the home's parents
        (root's home, a private temporary folder), the data goes to a folder of its own below
        `/var/lib` (or `/var/tmp`; the system's temporary folder for throw-away data), and the
        link in the home remembers which.
        """
        link = home / f"postgres-{major}"
        if link.is_symlink() and link.is_dir():
            return cls(link.resolve(), link, account)
        if link.is_dir():
            if not account.can_use(link):
                raise PostgresError(
                    f"the account of uid {account.uid} cannot use {link}: its owner or the"
                    " permissions of a parent folder have changed"
                )
            return cls(link, link, account)
        link.unlink(missing_ok=True)
        if _accepts_data(home, account):
            return cls(link, link, account)
        folder = _outside_folder(home, account, durable=durable) / link.name
        folder.mkdir()
        link.symlink_to(folder)
        return cls(folder, link, account)

    def create(self, initdb: Path, *, superuser: str, password: str) -> None:
        """Makes the cluster unless there is one; an interrupted attempt leaves no half of it."""
        if (self.folder / "PG_VERSION").exists():
            return
        half_made = self.folder.with_name(self.folder.name + ".half-made")
        password_file = half_made.with_suffix(".password")
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        self.account.own(half_made, mode=0o700)
        try:
            password_file.unlink(missing_ok=True)
            password_file.touch(mode=0o600)
            self.account.own(password_file, mode=0o600)
            password_file.write_text(password)
            arguments: list[str | Path] = [
                "-D",
                half_made,
                "-U",
                superuser,
                "--pwfile",
                password_file,
            ]
            answer = self.account.run([initdb, *arguments, *_locale_options(self.link.name)])
        finally:
            password_file.unlink(missing_ok=True)
        if answer.returncode != 0:
            shutil.rmtree(half_made, ignore_errors=True)
            raise PostgresError(f"initdb failed: {answer.stdout.strip()}")
        if self.folder.is_dir():
            self.folder.rmdir()
        half_made.rename(self.folder)

    def ready_pid(self) -> int | None:
        """The number of the server that accepts connections here, by its own account."""
        lines = self._pid_lines()
        if len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready":
            return int(lines[0])
        return None

    def port(self) -> int | None:
        """Where the server over this data listens."""
        lines = self._pid_lines()
        return int(lines[PORT_LINE]) if len(lines) > PORT_LINE else None

    def end_orphan(self) -> None:
        """Shuts down a server that a killed supervisor left running over this data."""
        pid = self._server_pid()
        if pid is None:
            return
        deadline = time.monotonic() + ORPHAN_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
            while self._server_pid() == pid and time.monotonic() < deadline:
                time.sleep(0.05)
            if self._server_pid() == pid:
                os.kill(pid, signal.SIGQUIT)
                time.sleep(1)
        if self._server_pid() == pid:
            raise PostgresError(f"another server (pid {pid}) runs over {self.folder}")

    def forget_dead_server(self) -> None:
        """Removes the pid file of a server that is gone.

        The server itself refuses to start when the number now belongs to another process.
        """
        if self._pid_lines() and self._server_pid() is None:
            (self.folder / PID_FILE).unlink(missing_ok=True)

    def discard_outside(self) -> None:
        """Deletes data that lies outside the home, where nobody would look for it."""
        if self.link.is_symlink() and self.folder.parent.name.startswith(OUTSIDE_PREFIX):
            shutil.rmtree(self.folder.parent, ignore_errors=True)
            self.link.unlink(missing_ok=True)

    def _pid_lines(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self.folder / PID_FILE).read_text(errors="replace").splitlines()
        return []

    def _server_pid(self) -> int | None:
        lines = self._pid_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        return pid if "postgres" in _command(pid) else None


def _command(pid: int) -> str:
    """The program's name and arguments; empty when it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        return ""
    answer = subprocess.run(  # noqa: S603 - no shell, a number
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _locale_options(cluster_name: str) -> list[str]:
    """UTF-8 whose upper and lower case do not depend on the machine's languages."""
    options = ["-E", "UTF8", "-A", "scram-sha-256", "--no-instructions"]
    if int(cluster_name.rpartition("-")[2]) >= 17:
        return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*options, "--locale=C.UTF-8"]


def _accepts_data(folder: Path, account: ServerAccount) -> bool:
    """Tries it: neither modes nor mounts tell whether the account can own a folder here."""
    trial = folder / f".trial-{os.getpid()}"
    trial.mkdir(mode=0o700)
    try:
        account.own(trial, mode=0o700)
        return account.can_use(trial)
    except OSError:
        return False
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _outside_folder(home: Path, account: ServerAccount, *, durable: bool) -> Path:
    bases = OUTSIDE if durable else (Path(tempfile.gettempdir()),)
    for base in bases:
        if not os.access(base, os.W_OK):
            continue
        folder = Path(tempfile.mkdtemp(prefix=OUTSIDE_PREFIX, dir=base))
        folder.chmod(0o711)
        if _accepts_data(folder, account):
            (folder / "belongs-to").write_text(f"{home}\n")
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    tried = " and ".join(map(str, bases))
    raise PostgresError(
        f"uid {account.uid} cannot reach {home}, nor is there room for it in {tried}:"
        " run as an ordinary user, or choose another GOODFIT_HOME"
    )
