"""The embedded PostgreSQL by itself."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backend.stack.account import ServerAccount
from backend.stack.binaries import BIN_VARIABLE, Binaries, PostgresError
from backend.stack.postgres import EmbeddedPostgres
from tests.stack.running import alive, wait_for

pytestmark = pytest.mark.stack
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """As root's own home: other accounts cannot pass."""
    folder = Path(tempfile.mkdtemp(prefix="goodfit-closed-"))
    folder.chmod(0o700)
    yield folder
    shutil.rmtree(folder)


def _count(postgres: EmbeddedPostgres) -> int:
    with psycopg.connect(postgres.url("goodfit")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS seen (at timestamptz)")
        connection.execute("INSERT INTO seen VALUES (now())")
        row = connection.execute("SELECT count(*) FROM seen").fetchone()
    assert row is not None
    return int(row[0])


def test_data_survives_a_restart_and_a_further_database_is_made(open_folder: Path) -> None:
    first = EmbeddedPostgres(open_folder)
    first.start()
    assert _count(first) == 1
    first.stop()
    second = EmbeddedPostgres(open_folder, databases=("goodfit", "another"))
    second.start()
    try:
        assert _count(second) == 2
        with psycopg.connect(second.url("another")) as connection:
            row = connection.execute("SELECT lower('É'), current_setting('fsync')").fetchone()
        assert row == ("é", "on")
    finally:
        second.stop()


def test_wrong_password_is_refused(open_folder: Path) -> None:
    postgres = EmbeddedPostgres(open_folder, durable=False)
    postgres.start()
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host="127.0.0.1",
                port=postgres.port,
                user="goodfit",
                password="guess",
                dbname="goodfit",
            )
    finally:
        postgres.stop()


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user runs the server itself")
@pytest.mark.parametrize("durable", [True, False])
def test_root_home_that_nobody_can_enter(closed_folder: Path, durable: bool) -> None:
    link = closed_folder / "postgres-18"
    first = EmbeddedPostgres(closed_folder, durable=durable)
    first.start()
    outside = link.resolve().parent
    try:
        assert link.is_symlink()
        assert _count(first) == 1
        first.stop()
        assert outside.exists() == durable
        second = EmbeddedPostgres(closed_folder, durable=durable)
        second.start()
        assert _count(second) == (2 if durable else 1)
        second.stop()
    finally:
        first.stop()
        shutil.rmtree(outside, ignore_errors=True)


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user runs the server itself")
def test_programs_that_nobody_can_reach_are_copied(
    closed_folder: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Binaries.find().folder.parents[1]
    hidden = closed_folder / package.name
    shutil.copytree(package, hidden, ignore=shutil.ignore_patterns("include"), symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(libraries, closed_folder / libraries.name)
    monkeypatch.setenv(BIN_VARIABLE, str(hidden / "pginstall" / "bin"))
    postgres = EmbeddedPostgres(open_folder, durable=False)
    postgres.start()
    try:
        assert _count(postgres) == 1
        assert list(open_folder.glob("postgres-18*-programs"))
    finally:
        postgres.stop()


def test_wrong_choice_of_programs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))
    with pytest.raises(PostgresError, match=BIN_VARIABLE):
        EmbeddedPostgres(tmp_path / "home").start()


def test_lost_secrets_are_named(open_folder: Path) -> None:
    postgres = EmbeddedPostgres(open_folder, durable=False)
    postgres.start()
    postgres.stop()
    (open_folder / "secrets.json").unlink()
    again = EmbeddedPostgres(open_folder, durable=False)
    try:
        with pytest.raises(PostgresError, match=r"another .*secrets\.json"):
            again.start()
    finally:
        again.stop()


def test_interrupted_initdb_is_begun_anew(open_folder: Path) -> None:
    half_made = open_folder / "postgres-18.half-made"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(open_folder, durable=False)
    postgres.start()
    try:
        assert _count(postgres) == 1
        assert not half_made.exists()
    finally:
        postgres.stop()


def test_pid_file_whose_number_belongs_to_another_process(open_folder: Path) -> None:
    postgres = EmbeddedPostgres(open_folder, durable=False)
    postgres.start()
    assert postgres.process is not None
    pid_file = open_folder / "postgres-18" / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    postgres.stop()
    account = ServerAccount.choose()
    # The same account, or the server would see by itself that the number is not its own.
    other = subprocess.Popen(["/bin/sleep", "60"], **account.identity)
    try:
        pid_file.write_text("".join([f"{other.pid}\n", *lines[1:]]))
        account.own(pid_file, mode=0o600)
        again = EmbeddedPostgres(open_folder, durable=False)
        again.start()
        assert _count(again) == 1
        again.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_server_that_still_runs_is_replaced(open_folder: Path) -> None:
    first = EmbeddedPostgres(open_folder, durable=False)
    first.start()
    assert first.process is not None
    second = EmbeddedPostgres(open_folder, durable=False)
    second.start()
    try:
        assert first.process.wait(5) == 0
        assert _count(second) == 1
    finally:
        second.stop()
        first.stop()


def test_server_ends_with_the_process_that_started_it(open_folder: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from backend.stack.postgres import EmbeddedPostgres\n"
        "postgres = EmbeddedPostgres(Path(sys.argv[1]), durable=False); postgres.start()\n"
        "sys.stdout.write(str(postgres.process.pid)); sys.stdout.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    answer = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(open_folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert answer.returncode == -signal.SIGKILL
    pid = int(answer.stdout)
    wait_for(lambda: not alive(pid), "the server's end")
