"""What can be asked of a stack from another terminal: `status`, `down`, `up --detach`."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from backend.stack.account import ServerAccount
from backend.stack.child import StackError
from backend.stack.cluster import Cluster
from backend.stack.home import load_secrets, make_home
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import database_environment, secret_environment
from backend.stack.state import HomeLock, Owner, State
from backend.stack.supervisor import Report
from backend.stack.up import describe_running, end_remains

NOT_RUNNING_EXIT_CODE: Final = 3
DOWN_SECONDS: Final = 75.0
FORCED_SECONDS: Final = 30.0
DETACHED_LOG: Final = "logs/up.log"


def status(home: Path, *, report: Report) -> int:
    """Tells what runs; exit code 0 when the stack is ready, 3 otherwise."""
    home = home.expanduser().resolve()
    owner = HomeLock(home).holder()
    if owner is None:
        report(f"Goodfit does not run in {home}")
        return NOT_RUNNING_EXIT_CODE
    report(describe_running(home, owner))
    state = State.read(home)
    if state is None:
        return NOT_RUNNING_EXIT_CODE
    for name, pid in state.pids.items():
        report(f"  {name:<10} pid {pid}")
    return 0


def down(home: Path, *, report: Report) -> int:
    """Ends the stack and waits until all of it is gone; fine when there is none."""
    home = home.expanduser().resolve()
    lock = HomeLock(home)
    owner = lock.holder()
    if owner is None:
        end_remains(lock.owner())
        report(f"Goodfit does not run in {home}")
        return 0
    for number, seconds in (
        (signal.SIGTERM, DOWN_SECONDS),
        (signal.SIGTERM, FORCED_SECONDS),
        (signal.SIGKILL, FORCED_SECONDS),
    ):
        _send(owner, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if lock.holder() is None:
                report("Goodfit is stopped")
                return 0
            time.sleep(0.1)
    raise StackError(f"pid {owner.pid} does not end")


def _send(owner: Owner, number: signal.Signals) -> None:
    if owner.pid <= 0:
        raise StackError("cannot tell which process runs the stack; it has just begun, try again")
    try:
        os.kill(owner.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StackError(f"pid {owner.pid} runs the stack as another user") from error


def up_in_background(home: Path, *, report: Report) -> int:
    """Starts `up` in a session of its own; returns when it is ready, or has failed.

    The lines come through a pipe, not through a file, for one of them holds the sign-in link.
    """
    home = make_home(home)
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", "backend.cli", "up", "--home", str(home), "--background"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                report(line.rstrip("\n"))
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            return 130
        # The pipe ends when the stack is ready, or with the process.
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and process.poll() is None:
            if _is_ready(home, process.pid):
                process.returncode = 0  # it stays; nobody here will wait for it
                return 0
            time.sleep(0.05)
        return process.wait()


def _is_ready(home: Path, pid: int) -> bool:
    state = State.read(home)
    return state is not None and state.pids.get("supervisor") == pid


def leave_terminal(home: Path) -> None:
    """From now on this process writes to a file: the one who started it goes on."""
    descriptor = os.open(home / DETACHED_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)


def environment_of_running(home: Path) -> dict[str, str]:
    """The settings by which another command reaches a running stack's database; else nothing."""
    home = home.expanduser().resolve()
    state = State.read(home)
    if state is None or HomeLock(home).holder() is None:
        return {}
    account = ServerAccount.choose()
    for link in home.glob("postgres-[0-9][0-9]"):
        cluster = Cluster(folder=link.resolve(), link=link, account=account)
        port = cluster.port()
        if port is not None and cluster.ready_pid() == state.pids.get("postgres"):
            postgres = EmbeddedPostgres(home, port=port)
            urls = {f"GOODFIT_URLS__{name.upper()}": url for name, url in state.urls.items()}
            return {
                **secret_environment(load_secrets(home)),
                **database_environment(postgres),
                **urls,
            }
    return {}
