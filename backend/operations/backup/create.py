"""`goodfit backup`: databases first, then the files that they name."""

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.operations.backup.copying import (
    Progress,
    Report,
    copy_stream,
    describe,
    readable,
    require_empty,
    require_room,
)
from backend.operations.backup.databases import Snapshot, server_version, snapshot
from backend.operations.backup.manifest import DatabaseEntry, FileEntry, Manifest
from backend.operations.backup.named import files_kept, named_blobs
from backend.operations.backup.source import (
    ARTIFACTS,
    FILES,
    MLFLOW,
    MLFLOW_AUTH,
    PRODUCT,
    Source,
)
from backend.storage.blobs import BlobMissing, BlobStore
from backend.storage.folders import FileFolder

# Within milliseconds of each other, the product's last; see the package's description.
SNAPSHOT_ORDER: Final = (MLFLOW_AUTH, MLFLOW, PRODUCT)
DUMPS: Final = "databases"


def backup(source: Source, folder: Path, *, report: Report) -> Manifest:
    """Write a backup into an empty or absent folder; a failure leaves nothing in it.

    Raises
    ------
    BackupError
        The folder holds something, or a database or file cannot be read.
    """
    require_empty(folder)
    existed = folder.is_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        return _fill(source, folder, report)
    except BaseException:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            folder.rmdir()
        raise


def _fill(source: Source, folder: Path, report: Report) -> Manifest:
    with files_kept(source.databases[PRODUCT]):
        databases, named, version = _dump(source, folder, report)
        blobs = list(_copy_blobs(BlobStore(source.files_url), named, folder, report))
    files = [describe(folder, entry.path) for entry in databases]
    artifacts = list(_copy_artifacts(FileFolder(source.artifacts_url), folder, report))
    stored = {entry.sha256 for entry in blobs}
    manifest = Manifest(
        created_at=datetime.now(UTC),
        postgres_version=version,
        databases=databases,
        files=[*files, *blobs, *artifacts],
        missing_blobs=sorted(named - stored),
    )
    manifest.write(folder)
    count = len(manifest.files)
    report(f"{folder}: {count:,} files, {readable(manifest.total_bytes)}")
    return manifest


def _dump(
    source: Source, folder: Path, report: Report
) -> tuple[list[DatabaseEntry], set[str], str]:
    (folder / DUMPS).mkdir(mode=0o700)
    with ExitStack() as stack:
        moments = {
            name: stack.enter_context(snapshot(source.databases[name])) for name in SNAPSHOT_ORDER
        }
        entries = [_dump_one(name, moments[name], folder, report) for name in SNAPSHOT_ORDER]
        product = moments[PRODUCT].connection
        return entries, named_blobs(product), server_version(product)


def _dump_one(name: str, moment: Snapshot, folder: Path, report: Report) -> DatabaseEntry:
    report(f"dumping the database {name}")
    path = f"{DUMPS}/{name}.dump"
    moment.dump(folder / path)
    return DatabaseEntry(name=name, path=path, revision=moment.revision(), rows=moment.count_rows())


def _copy_blobs(
    store: BlobStore, named: set[str], folder: Path, report: Report
) -> Iterator[FileEntry]:
    """Every blob that stands there: those named, and those that a later row may name."""
    sizes = dict(store.sizes())
    require_room(folder, sum(sizes.values()))
    progress = Progress(report, "copying files", len(sizes))
    for digest in sorted(sizes):
        path = f"{FILES}/{digest[:2]}/{digest}"
        try:
            with store.open(digest) as stream:
                entry = copy_stream(stream, folder, path)
        except BlobMissing:
            continue
        progress.add(entry.bytes)
        if entry.sha256 == digest:
            yield entry
            continue
        (folder / path).unlink()
        report(f"{digest} is damaged: its bytes have another sha256; left out")
    for digest in sorted(named - set(sizes)):
        report(f"{digest} is missing in the file store")


def _copy_artifacts(artifacts: FileFolder, folder: Path, report: Report) -> Iterator[FileEntry]:
    sizes = dict(artifacts.sizes())
    require_room(folder, sum(sizes.values()))
    progress = Progress(report, "copying MLflow's artifacts", len(sizes))
    for path in sorted(sizes):
        # A run that is being recorded at this moment; the dump does not know its files.
        with contextlib.suppress(FileNotFoundError), artifacts.open(path) as stream:
            entry = copy_stream(stream, folder, f"{ARTIFACTS}/{path}")
            progress.add(entry.bytes)
            yield entry
