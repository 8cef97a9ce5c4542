"""`goodfit restore`: a home made from a backup, whole or not at all; or databases elsewhere."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

from backend.operations.backup.check import check_backup
from backend.operations.backup.copying import (
    Progress,
    Report,
    copy_stream,
    require_empty,
    require_room,
)
from backend.operations.backup.databases import connect, count_rows, restore
from backend.operations.backup.manifest import BackupError, FileEntry, Manifest
from backend.operations.backup.named import recorded_runs, standing_runs
from backend.operations.backup.source import ARTIFACTS, FILES, MLFLOW, PRODUCT, Source
from backend.stack.account import ServerAccount
from backend.stack.cluster import Cluster
from backend.stack.postgres import EmbeddedPostgres
from backend.storage.blobs import BlobStore
from backend.storage.folders import FileFolder

COPIED: Final = (FILES, ARTIFACTS)
# Who was signed in then is not signed in now: somebody may have been locked out in between.
_END_SESSIONS: Final = (
    "update sessions set revoked_at = now() where revoked_at is null",
    "update refresh_tokens set used_at = now() where used_at is null",
    "update tickets set used_at = now() where used_at is null",
    "update signin_links set used_at = now() where used_at is null",
)
# A fit that ran then starts over; that its worker is gone is not its fault.
_START_OVER: Final = """
    update fits set state = 'queued', progress = 0, progress_message = 'Waiting for a worker'
    where state = 'running'
"""
_RECORD_AGAIN: Final = """
    update fits set tracking = 'pending', mlflow_run_id = null, mlflow_experiment_id = null
    where id = any(%s)
"""
# MLflow's registry is made equal to ours again, from the oldest change on.
_MIRROR_AGAIN: Final = "update models set mirrored_revision = 0"
# One that was revoked after the backup would count again.
_END_TOKENS: Final = (
    "update api_tokens set revoked_at = now() where revoked_at is null",
    "delete from oidc_flows",
)
_SHARE_AGAIN: Final = "update projects set mirrored_revision = 0"


def restore_home(folder: Path, home: Path, *, report: Report) -> Manifest:
    """Make a home from a backup; the home must be empty or absent, and is so after a failure.

    Raises
    ------
    BackupError
        The backup is damaged, the home is in use, or PostgreSQL refused.
    """
    require_empty(home)
    manifest = check_backup(folder, report=report).require_whole()
    # A folder that exists may be a volume, which nothing can be renamed to.
    name = f".{home.name}.restoring-{os.getpid()}"
    beside = home / name if home.is_dir() else home.with_name(name)
    beside.parent.mkdir(parents=True, exist_ok=True)
    require_room(beside.parent, manifest.total_bytes)
    try:
        _fill(folder, manifest, beside, report)
        _move(beside, home)
    except BaseException:
        _discard(beside)
        raise
    _say_where(home)
    return manifest


def restore_into(folder: Path, target: Source, *, report: Report) -> Manifest:
    """Fill empty databases, and places for files, that somebody else runs.

    Each database is filled whole or not at all; there is no such promise for the three together.

    Raises
    ------
    BackupError
        The backup is damaged, a database is not empty, or PostgreSQL refused.
    """
    manifest = check_backup(folder, report=report).require_whole()
    for name, url in target.databases.items():
        with connect(url) as connection:
            if count_rows(connection):
                raise BackupError(f"the database {name} is not empty; drop and create it first")
    # Files before databases: what a row names stands in the store already, here too.
    _upload(folder, manifest, target, report)
    _fill_databases(folder, manifest, target.databases, report)
    return manifest


def _fill(folder: Path, manifest: Manifest, home: Path, report: Report) -> None:
    names = [entry.name for entry in manifest.databases]
    postgres = EmbeddedPostgres(home, databases=names)
    try:
        report("making the database")
        postgres.start()
        urls = {name: postgres.url(name) for name in names}
        _fill_databases(folder, manifest, urls, report)
    finally:
        postgres.stop()
    _copy(folder, manifest, home, report)


def _fill_databases(
    folder: Path, manifest: Manifest, urls: Mapping[str, str], report: Report
) -> None:
    for entry in manifest.databases:
        report(f"restoring the database {entry.name}")
        restore(folder / entry.path, urls[entry.name])
        _require_rows(entry.name, entry.rows, urls[entry.name])
    _mend(urls[PRODUCT], urls[MLFLOW], report)


def _require_rows(name: str, expected: dict[str, int], url: str) -> None:
    with connect(url) as connection:
        found = count_rows(connection)
    if found != expected:
        different = sorted(
            table
            for table in expected.keys() | found.keys()
            if expected.get(table) != found.get(table)
        )
        raise BackupError(f"{name}: rows differ after the restore in {', '.join(different)}")


def _mend(product_url: str, mlflow_url: str, report: Report) -> None:
    """What was true at the moment of the backup, and cannot be now."""
    with connect(mlflow_url) as connection:
        standing = standing_runs(connection)
    with connect(product_url) as connection:
        for statement in _END_SESSIONS:
            connection.execute(statement)
        connection.execute(_START_OVER)
        lost = [fit for fit, run in recorded_runs(connection).items() if run not in standing]
        connection.execute(_RECORD_AGAIN, [lost])
        if _has(connection, "models"):
            connection.execute(_MIRROR_AGAIN)
        if _has(connection, "audit_events"):
            connection.execute(_SHARE_AGAIN)
            for statement in _END_TOKENS:
                connection.execute(statement)
    if lost:
        report(f"{len(lost)} fits will be recorded in MLflow again")


def _has(connection: psycopg.Connection, table: str) -> bool:
    """Backups of earlier versions lack tables, and columns that came with them."""
    found = connection.execute("select to_regclass(%s)", [table]).fetchone()
    return found is not None and found[0] is not None


def _entries(manifest: Manifest) -> list[FileEntry]:
    return [entry for entry in manifest.files if entry.path.partition("/")[0] in COPIED]


def _upload(folder: Path, manifest: Manifest, target: Source, report: Report) -> None:
    entries = _entries(manifest)
    progress = Progress(report, "copying files", len(entries))
    store, artifacts = BlobStore(target.files_url), FileFolder(target.artifacts_url)
    for entry in entries:
        area, _, path = entry.path.partition("/")
        if area == FILES:
            store.put_file(folder / entry.path, digest=entry.sha256)
        else:
            artifacts.put_file(folder / entry.path, path)
        progress.add(entry.bytes)


def _copy(folder: Path, manifest: Manifest, home: Path, report: Report) -> None:
    entries = _entries(manifest)
    progress = Progress(report, "copying files", len(entries))
    for name in COPIED:
        (home / name).mkdir(mode=0o700, exist_ok=True)
    for entry in entries:
        with (folder / entry.path).open("rb") as stream:
            copied = copy_stream(stream, home, entry.path)
        if copied != entry:
            raise BackupError(f"{entry.path} changed while it was copied")
        progress.add(entry.bytes)
    os.sync()


def _move(beside: Path, home: Path) -> None:
    if beside.parent != home:
        beside.rename(home)
        return
    for path in sorted(beside.iterdir()):
        path.rename(home / path.name)
    beside.rmdir()


def _discard(home: Path) -> None:
    """Leave nothing, also not what lies outside the home."""
    for link in home.glob("postgres-[0-9][0-9]"):
        Cluster(link.resolve(), link, ServerAccount.choose()).discard_outside()
    shutil.rmtree(home, ignore_errors=True)


def _say_where(home: Path) -> None:
    """Data outside the home names the home that it belongs to."""
    for link in home.glob("postgres-[0-9][0-9]"):
        note = link.resolve().parent / "belongs-to"
        if link.is_symlink() and note.exists():
            with contextlib.suppress(OSError):
                note.write_text(f"{home}\n")
