"""`goodfit up` as a whole, over stand-ins for the product's processes and the real PostgreSQL."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from backend.stack.state import HomeLock
from tests.stack.running import SERVICES, alive, processes_of, running, stack_environment, wait_for

pytestmark = pytest.mark.stack


def _environment_of(home: Path, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / f"{name}.environment.json").read_text())
    return found


def _goodfit(
    home: Path, *arguments: str, text: str = "", seconds: float = 100
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "backend.cli", *arguments, "--home", str(home)],
        capture_output=True,
        text=True,
        input=text,
        timeout=seconds,
        check=False,
        env=stack_environment(),
    )


def test_up_announces_what_it_started_and_leaves_nothing_after_ctrl_c(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        stack.wait_until_ready()
        assert set(stack.pids) == {"supervisor", "postgres", *SERVICES}
        assert stack.pids["supervisor"] == stack.process.pid
        assert all(alive(pid) for pid in stack.pids.values())
        assert set(stack.state["urls"]) == {"api", "dashboard", "mlflow"}
        assert stat.S_IMODE((home / "state.json").stat().st_mode) == 0o600
        text = stack.text()
        assert "http://127.0.0.1/?signin=stand-in" in text
        assert text.index(stack.state["urls"]["dashboard"]) < text.index(stack.state["urls"]["api"])
        database = _environment_of(home, "api")["GOODFIT_DATABASE__URL"]
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT current_database()").fetchone()
            assert row == ("goodfit",)
        stack.process.send_signal(signal.SIGINT)
        assert stack.ended() == 0
        assert not (home / "state.json").exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database)


def test_children_get_their_settings_by_environment_and_no_admin_password(
    open_folder: Path,
) -> None:
    home = open_folder / "home"
    admin = {"GOODFIT_ADMIN_USERNAME": "ada", "GOODFIT_ADMIN_PASSWORD": "lovelace lovelace"}
    with running(home, **admin, GOODFIT_SECRETS__COOKIE_KEY="c" * 20 + "0123456789abcdef") as stack:
        stack.wait_until_ready()
        secrets = json.loads((home / "secrets.json").read_text())
        for name in SERVICES:
            environment = _environment_of(home, name)
            assert environment["GOODFIT_HOME"] == str(home)
            assert environment["GOODFIT_SECRETS__TOKEN_KEY"] == secrets["token_key"]
            assert environment["GOODFIT_SECRETS__COOKIE_KEY"] == "c" * 20 + "0123456789abcdef"
            assert environment["GOODFIT_TRACKING__DATABASE_URL"].endswith("/mlflow")
            assert environment["GOODFIT_TRACKING__AUTH_DATABASE_URL"].endswith("/mlflow_auth")
            assert environment["GOODFIT_URLS__API"] == stack.state["urls"]["api"]
            assert not set(admin) & set(environment)
        assert _environment_of(home, "prepare")["GOODFIT_ADMIN_USERNAME"] == "ada"
        shown = stack.text() + " ".join(processes_of(home).values())
        assert not any(secret in shown for secret in (*secrets.values(), "lovelace lovelace"))
        assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600


def test_kill_9_of_the_supervisor_leaves_no_process_and_the_next_up_works(
    open_folder: Path,
) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        stack.wait_until_ready()
        assert len(processes_of(home)) > 10  # with grandchildren and PostgreSQL's own processes
        stack.process.kill()
        stack.ended()
    assert HomeLock(home).holder() is None
    with running(home) as again:
        again.wait_until_ready()


def test_kill_9_during_the_start_leaves_no_process(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        wait_for(lambda: "postgres    ready" in stack.text(), "postgres", 30)
        stack.process.kill()
        stack.ended()


def test_up_clears_away_what_outlived_supervisor_and_reaper(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        stack.wait_until_ready()
        left = [stack.pids[name] for name in SERVICES]
        database = stack.pids["postgres"]
        reaper = next(pid for pid in _children(stack.process.pid) if "reaper" in _line(pid))
        os.kill(stack.process.pid, signal.SIGSTOP)  # or it would start a new reaper
        os.kill(reaper, signal.SIGKILL)
        stack.process.kill()
        stack.process.wait()
    assert any(alive(pid) for pid in left)
    with running(home) as again:
        again.wait_until_ready()
        assert not any(alive(pid) for pid in (*left, database))


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def _line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize("name", ["worker", "postgres"])
def test_what_dies_is_started_again(open_folder: Path, name: str) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        stack.wait_until_ready()
        before = stack.pids[name]
        grandchildren = _children(before)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: stack.pids.get(name, before) != before, f"a new {name}")
        wait_for(lambda: "ready" in stack.text().split(f"{name} ended")[-1], f"{name} ready")
        assert not any(alive(pid) for pid in grandchildren)
        with psycopg.connect(_environment_of(home, "api")["GOODFIT_DATABASE__URL"]):
            pass


def test_what_keeps_dying_ends_all_and_its_log_is_named(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home, STAND_IN_FAILS="mlflow") as stack:
        assert stack.ended(60) == 1
        assert stack.text().count("mlflow ended (exit code 1)") == 5
        assert str(home / "logs" / "mlflow.log") in stack.text()
        assert "this stand-in cannot start" in stack.text()


def test_second_up_tells_where_the_first_runs(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home) as stack:
        stack.wait_until_ready()
        second = _goodfit(home, "up")
        assert second.returncode == 0
        assert stack.state["urls"]["dashboard"] in second.stdout
        assert str(stack.process.pid) in second.stdout
        assert stack.process.poll() is None


def test_status_and_down(open_folder: Path) -> None:
    home = open_folder / "home"
    assert _goodfit(home, "status").returncode == 3
    assert _goodfit(home, "down").returncode == 0
    with running(home) as stack:
        stack.wait_until_ready()
        status = _goodfit(home, "status")
        assert status.returncode == 0
        assert stack.state["urls"]["api"] in status.stdout
        assert _goodfit(home, "down").returncode == 0
        assert stack.ended(1) == 0
        assert _goodfit(home, "status").returncode == 3


def test_a_port_that_was_set_and_is_taken_is_an_error(open_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(open_folder / "home", GOODFIT_MLFLOW_PORT=port) as stack:
            assert stack.ended() == 2
            assert f"GOODFIT_MLFLOW_PORT: {port} is taken" in stack.text()


def test_second_ctrl_c_does_not_wait(open_folder: Path) -> None:
    home = open_folder / "home"
    with running(home, STAND_IN_STUBBORN="dashboard") as stack:
        stack.wait_until_ready()
        stack.process.send_signal(signal.SIGINT)
        wait_for(lambda: "stopping" in stack.text(), "stopping")
        stack.process.send_signal(signal.SIGINT)
        assert stack.ended(4) == 0


def test_a_closed_terminal_ends_the_stack(open_folder: Path) -> None:
    with running(open_folder / "home") as stack:
        stack.wait_until_ready()
        stack.process.send_signal(signal.SIGHUP)
        assert stack.ended() == 0


@pytest.mark.timeout(300)
def test_the_product_itself_in_the_background(open_folder: Path) -> None:
    """The one test here without stand-ins: each process becomes ready, and `down` ends them."""
    home = open_folder / "home"
    try:
        started = _goodfit(home, "up", "--detach", seconds=240)
        assert started.returncode == 0, started.stdout + started.stderr
        assert "?signin=" in started.stdout
        assert "?signin=" not in (home / "logs" / "up.log").read_text()
        state = json.loads((home / "state.json").read_text())
        assert set(state["pids"]) == {"supervisor", "postgres", *SERVICES}
        assert all(alive(pid) for pid in state["pids"].values())
        made = _goodfit(home, "create-admin", "ada", text="a passphrase of some length\n")
        assert (made.returncode, made.stdout) == (0, "ada is an administrator\n")
        refused = _goodfit(home, "create-admin", "bob", text="short\n")
        assert refused.returncode == 2
        assert "short" not in refused.stderr.replace("too short", "")
        assert _goodfit(home, "signin-link").stdout == ""
    finally:
        ended = _goodfit(home, "down")
    assert ended.returncode == 0
    assert not processes_of(home)
