"""`goodfit verify`: whether a backup is whole, and whether a product's files are all there."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from backend.operations.backup.copying import CHUNK_BYTES, Progress, Report, files_below
from backend.operations.backup.databases import connect, count_archived_rows, count_rows
from backend.operations.backup.manifest import MANIFEST, BackupError, Manifest
from backend.operations.backup.named import (
    Run,
    files_kept,
    named_blobs,
    recorded_runs,
    standing_runs,
)
from backend.operations.backup.source import MLFLOW, PRODUCT, Source
from backend.storage.blobs import BlobMissing, BlobStore
from backend.storage.folders import FileFolder


@dataclass(slots=True)
class Findings:
    """What is wrong, and what was counted."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    manifest: Manifest | None = None

    def require_whole(self) -> Manifest:
        """The manifest of a backup in which nothing is wrong."""
        if self.problems or self.manifest is None:
            shown = "\n    ".join(self.problems[:20])
            raise BackupError(f"the backup is damaged; nothing was restored:\n    {shown}")
        return self.manifest


def check_backup(folder: Path, *, report: Report) -> Findings:
    """Every byte and every row of a backup against its manifest."""
    manifest = Manifest.read(folder)
    findings = Findings(manifest=manifest)
    known = {entry.path: entry for entry in manifest.files}
    progress = Progress(report, "reading the backup", len(known))
    present = set(files_below(folder)) - {MANIFEST}
    findings.problems += [f"{path} is missing" for path in sorted(known.keys() - present)]
    findings.problems += [f"{path} is not the backup's" for path in sorted(present - known.keys())]
    for path in sorted(known.keys() & present):
        with (folder / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != known[path].sha256:
            findings.problems.append(f"{path} is damaged: its bytes have another sha256")
        progress.add(known[path].bytes)
    damaged = {problem.partition(" ")[0] for problem in findings.problems}
    for database in manifest.databases:
        if database.path in damaged:
            continue
        rows = {name: count for name, count in database.rows.items() if count}
        found = count_archived_rows(folder / database.path)
        if rows != {name: count for name, count in found.items() if count}:
            findings.problems.append(f"{database.path} holds other rows than the manifest says")
    total = sum(manifest.rows().values())
    findings.notes.append(f"{len(known):,} files and {total:,} rows, as the manifest says")
    findings.notes += [f"the file store lacked {name}" for name in manifest.missing_blobs]
    return findings


def check_product(source: Source, *, report: Report) -> Findings:
    """Whether everything that the databases name is there, and is what it was."""
    findings = Findings()
    store = BlobStore(source.files_url)
    with files_kept(source.databases[PRODUCT]):
        with connect(source.databases[PRODUCT]) as product:
            named = named_blobs(product)
            recorded = recorded_runs(product)
            rows = {f"{PRODUCT}.{name}": count for name, count in count_rows(product).items()}
        shown = sorted(rows.items())
        findings.notes += [f"{name}: {count:,} rows" for name, count in shown if count]
        _check_blobs(store, named, findings, report)
    # After ours: whatever ours says is recorded stands there by now.
    with connect(source.databases[MLFLOW]) as mlflow:
        standing = standing_runs(mlflow)
    _check_runs(FileFolder(source.artifacts_url), recorded, standing, findings)
    return findings


def _check_blobs(store: BlobStore, named: set[str], findings: Findings, report: Report) -> None:
    progress = Progress(report, "reading files", len(named))
    for digest in sorted(named):
        try:
            size, found = _digest_of(store, digest)
        except BlobMissing:
            findings.problems.append(f"file {digest} is missing")
            continue
        if found != digest:
            findings.problems.append(f"file {digest} is damaged: its bytes have another sha256")
        progress.add(size)
    orphans = [size for digest, size in store.sizes() if digest not in named]
    findings.notes.append(f"{len(named):,} files are named")
    if orphans:
        text = f"{len(orphans):,} files ({sum(orphans):,} bytes) are named by nothing; harmless"
        findings.notes.append(text)


def _digest_of(store: BlobStore, digest: str) -> tuple[int, str]:
    sha = hashlib.sha256()
    size = 0
    with store.open(digest) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            sha.update(chunk)
            size += len(chunk)
    return size, sha.hexdigest()


def _check_runs(
    artifacts: FileFolder, recorded: dict[int, str], standing: dict[str, Run], findings: Findings
) -> None:
    for fit_id, run_id in sorted(recorded.items()):
        run = standing.get(run_id)
        if run is None:
            findings.problems.append(f"fit {fit_id}: MLflow has no run {run_id}")
        elif run.model_folder is None:
            findings.problems.append(f"fit {fit_id}: MLflow's run {run_id} has no model")
        elif not artifacts.has(f"{run.model_folder}/MLmodel"):
            findings.problems.append(f"fit {fit_id}: no model in {run.model_folder}")
    findings.notes.append(f"{len(recorded):,} fits are recorded in MLflow")
