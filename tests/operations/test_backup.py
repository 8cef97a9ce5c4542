"""Backups of a product in use, restored elsewhere, and everything that may be wrong with them."""

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from backend.datasets.files import FILES_LOCK
from backend.operations.backup.check import check_backup, check_product
from backend.operations.backup.create import backup
from backend.operations.backup.manifest import MANIFEST, BackupError, Manifest
from backend.operations.backup.named import KEY_COLUMNS, KEYS_BY_NAME_COLUMNS, named_blobs
from backend.operations.backup.restore import restore_home, restore_into
from backend.operations.backup.source import Source
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import DATABASES
from backend.tables import Table
from tests.operations.conftest import MODEL_FOLDER, RECORDED, Product


def quiet(_text: str) -> None:
    """Nobody reads along."""


def source_of(home: Path, postgres: EmbeddedPostgres) -> Source:
    return Source(
        databases={name: postgres.url(name) for name in DATABASES},
        files_url=(home / "files").as_uri(),
        artifacts_url=(home / "mlflow-artifacts").as_uri(),
    )


def rows_of(source: Source, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(source.databases["goodfit"]) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_restored_home_has_what_the_backup_had(
    product: Product, tmp_path: Path, home: Path
) -> None:
    lost = product.add_fit("f" * 32)
    running = product.add_fit(None, state="running")
    product.ask(
        "insert into sessions (user_id, kind, expires_at)"
        " select id, 'api', now() + '1 h' from users"
    )
    product.ask(
        "insert into api_tokens (user_id, name, token_hash, hint, scope, created_by)"
        " select id, 'leaked later', 'x', 'gf_x', 'write', id from users"
    )
    product.ask("update projects set mirrored_revision = revision")
    made = backup(product.source, tmp_path / "backup", report=quiet)
    assert made.missing_blobs == []
    assert restore_home(tmp_path / "backup", home, report=quiet) == made
    postgres = EmbeddedPostgres(home, databases=DATABASES)
    postgres.start()
    try:
        source = source_of(home, postgres)
        findings = check_product(source, report=quiet)
        assert findings.problems == []
        shown = "select id, (state, tracking, mlflow_run_id)::text from fits"
        fits = {fit_id: fit for fit_id, fit in rows_of(source, shown)}  # noqa: C416  # for mypy
        # MLflow's dump does not know this run, so the worker records it once more.
        assert fits[lost] == "(succeeded,pending,)"
        assert fits[running] == "(queued,pending,)"
        assert f"(succeeded,recorded,{RECORDED})" in fits.values()
        for table in ("sessions", "api_tokens"):
            ended = rows_of(source, f"select revoked_at is not null from {table}")  # noqa: S608  # ours
            assert ended == [(True,)]
        assert set(rows_of(source, "select mirrored_revision from projects")) == {(0,)}
    finally:
        postgres.stop()
    assert (home / "mlflow-artifacts" / MODEL_FOLDER / "MLmodel").exists()
    assert [path.name for path in tmp_path.iterdir() if "restoring" in path.name] == []


def test_backup_during_writes_names_no_file_that_it_lacks(product: Product, tmp_path: Path) -> None:
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            written.append(product.add_version(f"table {len(written)}".encode(), tmp_path))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 5:
            assert writer.is_alive()
        made = backup(product.source, tmp_path / "backup", report=quiet)
        during = len(written)
    finally:
        stop.set()
        writer.join()
    assert len(written) > during > 5
    assert made.missing_blobs == []
    assert check_backup(tmp_path / "backup", report=quiet).problems == []
    versions = made.rows()["goodfit.dataset_versions"]
    assert 5 < versions <= during + 1


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _blob(folder: Path) -> Path:
    return next((folder / "files").glob("*/*"))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit in a file": (lambda folder: _flip(_blob(folder)), "damaged"),
    "flipped bit in a dump": (lambda folder: _flip(folder / "databases/goodfit.dump"), "damaged"),
    "file gone": (lambda folder: _blob(folder).unlink(), "missing"),
    "foreign file": (lambda folder: (folder / "x").write_text("y"), "not the backup's"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_backup_is_told_and_never_restored(
    product: Product, tmp_path: Path, damage: str
) -> None:
    folder, home = tmp_path / "backup", tmp_path / "home"
    backup(product.source, folder, report=quiet)
    harm, words = DAMAGES[damage]
    harm(folder)
    (problem,) = check_backup(folder, report=quiet).problems
    assert words in problem
    with pytest.raises(BackupError, match="damaged"):
        restore_home(folder, home, report=quiet)
    assert not home.exists()


def test_manifest_with_other_row_counts_is_told(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    made = backup(product.source, folder, report=quiet)
    changed = [
        entry.model_copy(update={"rows": {**entry.rows, "fits": 17}})
        if entry.name == "goodfit"
        else entry
        for entry in made.databases
    ]
    made.model_copy(update={"databases": changed}).write(folder)
    (problem,) = check_backup(folder, report=quiet).problems
    assert "other rows" in problem


def test_purged_dataset_needs_no_files(product: Product, tmp_path: Path) -> None:
    gone = product.add_version(b"a table to be purged", tmp_path)
    product.ask(
        "insert into dataset_profiles (dataset_version_id, state, progress, progress_message,"
        " attempt, sha256) select id, 'ready', 1, '', 1, %s from dataset_versions"
        " where sha256 = %s",
        product.store(b"a profile to be purged", tmp_path),
        gone,
    )
    named = len(_named(product))
    product.blobs.remove(gone)
    (problem,) = check_product(product.source, report=quiet).problems
    assert problem == f"file {gone} is missing"
    product.ask("update datasets set trashed_at = now(), purged_at = now()")
    assert check_product(product.source, report=quiet).problems == []
    assert len(_named(product)) == named - 3
    made = backup(product.source, tmp_path / "backup", report=quiet)
    assert made.missing_blobs == []


def _named(product: Product) -> set[str]:
    with psycopg.connect(product.source.databases["goodfit"]) as connection:
        return named_blobs(connection)


def test_files_are_kept_while_a_backup_runs(product: Product, tmp_path: Path) -> None:
    locks: list[bool] = []

    def try_to_purge(_text: str) -> None:
        locks.append(product.ask("select pg_try_advisory_xact_lock(%s)", FILES_LOCK)[0][0])

    backup(product.source, tmp_path / "backup", report=try_to_purge)
    # The last word comes when all files are copied.
    assert (set(locks[:-1]), locks[-1]) == ({False}, True)


def test_broken_off_backup_is_none(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backup(product.source, folder, report=quiet)
    (folder / MANIFEST).unlink()
    with pytest.raises(BackupError, match="broke off"):
        Manifest.read(folder)


def test_failed_backup_leaves_nothing(product: Product, tmp_path: Path) -> None:
    databases = {**product.source.databases, "goodfit": "postgresql://x:secret@127.0.0.1:1/none"}
    broken = Source(databases, product.source.files_url, product.source.artifacts_url)
    with pytest.raises(BackupError, match="cannot be reached") as failure:
        backup(broken, tmp_path / "backup", report=quiet)
    assert "secret" not in str(failure.value)
    assert not (tmp_path / "backup").exists()


def test_failed_restore_leaves_nothing(product: Product, tmp_path: Path) -> None:
    folder, home = tmp_path / "backup", tmp_path / "home"
    made = backup(product.source, folder, report=quiet)
    archive = folder / "databases" / "mlflow.dump"
    # A dump that is whole, yet of another database.
    (folder / "databases" / "goodfit.dump").write_bytes(archive.read_bytes())
    same = {entry.path: entry for entry in made.files}["databases/mlflow.dump"]
    files = [
        same.model_copy(update={"path": entry.path})
        if entry.path == "databases/goodfit.dump"
        else entry
        for entry in made.files
    ]
    other = {entry.name: entry for entry in made.databases}["mlflow"].rows
    databases = [
        entry.model_copy(update={"rows": other}) if entry.name == "goodfit" else entry
        for entry in made.databases
    ]
    made.model_copy(update={"files": files, "databases": databases}).write(folder)
    home.mkdir()
    with pytest.raises(psycopg.Error):
        restore_home(folder, home, report=quiet)
    assert list(home.iterdir()) == []


def test_backup_fills_databases_elsewhere_once(
    product: Product, product_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    made = backup(product.source, folder, report=quiet)
    with psycopg.connect(product.source.databases["goodfit"], autocommit=True) as connection:
        for name in DATABASES:
            connection.execute(f'drop database if exists "{name}_2"'.encode())
            connection.execute(f'create database "{name}_2"'.encode())
    target = Source(
        databases={name: product_postgres.url(f"{name}_2") for name in DATABASES},
        files_url=(tmp_path / "files 2").as_uri(),
        artifacts_url=(tmp_path / "artifacts 2").as_uri(),
    )
    assert restore_into(folder, target, report=quiet) == made
    assert check_product(target, report=quiet).problems == []
    with pytest.raises(BackupError, match="not empty"):
        restore_into(folder, target, report=quiet)


def test_folder_in_use_is_refused(product: Product, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="not empty"):
        backup(product.source, tmp_path, report=quiet)
    backup(product.source, tmp_path / "backup", report=quiet)
    with pytest.raises(BackupError, match="not empty"):
        restore_home(tmp_path / "backup", tmp_path / "files", report=quiet)


def test_product_with_lost_files_is_told(product: Product, tmp_path: Path) -> None:
    orphan = product.store(b"named by nothing", tmp_path)
    findings = check_product(product.source, report=quiet)
    assert findings.problems == []
    assert any("1 files (16 bytes) are named by nothing" in note for note in findings.notes)
    gone = product.add_version(b"soon gone", tmp_path)
    product.add_fit("e" * 32)
    files = tmp_path / "files"
    (files / gone[:2] / gone).unlink()
    _flip(next(path for path in files.glob("*/*") if path.read_bytes() == b"a model"))
    (tmp_path / "artifacts" / MODEL_FOLDER / "MLmodel").unlink()
    problems = check_product(product.source, report=quiet).problems
    assert len(problems) == 4
    for words in (f"{gone} is missing", "is damaged", "has no run eeee", "no model in 7/models"):
        assert any(words in problem for problem in problems), words
    assert orphan not in str(problems)


def test_backup_of_a_product_with_lost_files_says_so(product: Product, tmp_path: Path) -> None:
    gone = product.add_version(b"soon gone", tmp_path)
    (tmp_path / "files" / gone[:2] / gone).unlink()
    said: list[str] = []
    made = backup(product.source, tmp_path / "backup", report=said.append)
    assert made.missing_blobs == [gone]
    assert f"{gone} is missing in the file store" in said


def test_every_column_that_names_files_is_known() -> None:
    known = {*KEY_COLUMNS, *KEYS_BY_NAME_COLUMNS}
    named = {
        (table.name, column.name)
        for table in Table.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("sha256") or column.name == "artifacts"
    }
    assert named == known
