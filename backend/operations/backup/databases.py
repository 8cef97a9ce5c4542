"""Snapshots of PostgreSQL databases: dumped, counted, brought back."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from backend.operations.backup.manifest import BackupError
from backend.stack.binaries import Binaries

_CONNECT_SECONDS: Final = 10
# libpq's variables for the parts of an address; a password has no place on a command line.
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}
_TABLES: Final = """
    select format('%I.%I', schemaname, tablename), tablename from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 2
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a database, seen by every statement and by the dump."""

    url: str
    connection: psycopg.Connection
    name: str

    def dump(self, target: Path) -> None:
        """Write the whole database at this moment as an archive of `pg_restore`."""
        arguments = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges"]
        arguments += [f"--snapshot={self.name}", f"--file={target}"]
        run_program("pg_dump", arguments, self.url)
        target.chmod(0o600)

    def count_rows(self) -> dict[str, int]:
        """Rows by table."""
        return count_rows(self.connection)

    def revision(self) -> str | None:
        """Alembic's revision of the schema."""
        # MLflow's permissions keep it in a table of another name.
        tables = "select tablename from pg_tables where starts_with(tablename, 'alembic_version')"
        table = self.connection.execute(tables).fetchone()
        if table is None:
            return None
        statement = sql.SQL("select version_num from {}").format(sql.Identifier(table[0]))
        row = self.connection.execute(statement).fetchone()
        return None if row is None else str(row[0])


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """One moment of a database, for as long as the block lasts."""
    with connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        row = connection.execute("select pg_export_snapshot()").fetchone()
        if row is None:
            raise BackupError("PostgreSQL exported no snapshot")
        yield Snapshot(url, connection, row[0])


def connect(url: str) -> psycopg.Connection:
    """A connection, or one line on why there is none."""
    try:
        return psycopg.connect(url, connect_timeout=_CONNECT_SECONDS)
    except psycopg.ProgrammingError:
        # Its text would show the part that it does not understand, which may be the password.
        raise BackupError("the address of a database is not well-formed") from None
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise BackupError(f"a database cannot be reached: {reason}") from error


def count_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Rows by table; a table outside the first schema carries its schema's name."""
    counts: dict[str, int] = {}
    for qualified, name in connection.execute(_TABLES).fetchall():
        statement = sql.SQL("select count(*) from ") + sql.SQL(qualified)
        row = connection.execute(statement).fetchone()
        counts[name if qualified == f"public.{name}" else qualified] = row[0] if row else 0
    return counts


def restore(archive: Path, url: str) -> None:
    """Fill an empty database from an archive: all of it, or nothing."""
    database = str(conninfo_to_dict(url)["dbname"])
    arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    run_program("pg_restore", [*arguments, f"--dbname={database}", str(archive)], url)


def count_archived_rows(archive: Path) -> dict[str, int]:
    """Rows by table in an archive, counted in the data itself."""
    arguments = [str(_program("pg_restore")), "--data-only", "--file=-", str(archive)]
    counts: dict[str, int] = {}
    table: str | None = None
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own program
        for line in process.stdout or ():
            if table is not None and line == b"\\.\n":
                table = None
            elif table is not None:
                counts[table] += 1
            elif line.startswith(b"COPY ") and line.endswith(b"FROM stdin;\n"):
                table = _copied_table(line.decode())
                counts[table] = 0
        complaint = process.stderr.read().decode(errors="replace") if process.stderr else ""
    if process.returncode != 0:
        raise BackupError(f"{archive.name} cannot be read: {complaint.strip()}")
    return counts


def _copied_table(line: str) -> str:
    """`COPY public.fits (id, ...) FROM stdin;` is about `fits`."""
    return line.removeprefix("COPY ").partition(" (")[0].removeprefix("public.").strip('"')


def server_version(connection: psycopg.Connection) -> str:
    """PostgreSQL's version, as people write it."""
    return f"{connection.info.server_version // 10_000}.{connection.info.server_version % 10_000}"


def _program(name: str) -> Path:
    folder = Binaries.find().folder
    program = folder / name
    if not program.is_file():
        raise BackupError(f"{folder} has no {name}; GOODFIT_PG_BIN may name a folder that has")
    return program


def run_program(name: str, arguments: Sequence[str], url: str) -> None:
    """Run one of PostgreSQL's programs against a database."""
    parts = conninfo_to_dict(url)
    environment = {_VARIABLES[key]: str(parts[key]) for key in _VARIABLES if parts.get(key)}
    answer = subprocess.run(  # noqa: S603 - PostgreSQL's program, no shell
        [str(_program(name)), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode != 0:
        raise BackupError(f"{name} failed: {answer.stderr.strip()}")
