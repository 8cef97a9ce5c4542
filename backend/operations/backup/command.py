"""The subcommands `backup`, `restore` and `verify`: exit code 0 well, 1 with a list of problems."""

from pathlib import Path
from typing import Final

from backend.operations.backup.check import Findings, check_backup, check_product
from backend.operations.backup.copying import Report
from backend.operations.backup.create import backup
from backend.operations.backup.manifest import Manifest
from backend.operations.backup.restore import restore_home, restore_into
from backend.operations.backup.source import Source
from backend.settings import Settings

PROBLEMS: Final = 1
SHOWN: Final = 100


def make(settings: Settings, folder: Path, *, report: Report) -> int:
    """Back up the product that the settings describe."""
    manifest = backup(Source.of(settings), folder, report=report)
    if not manifest.missing_blobs:
        return 0
    report(f"{len(manifest.missing_blobs)} files were missing or damaged before the backup")
    return PROBLEMS


def bring_back(folder: Path, home: Path, *, report: Report) -> int:
    """Make a home from a backup."""
    manifest = restore_home(folder, home, report=report)
    report(f"{home}: {_content(manifest)}")
    report("Everybody signs in anew. Start it with `goodfit up`")
    return 0


def bring_back_elsewhere(settings: Settings, folder: Path, *, report: Report) -> int:
    """Fill the databases and places for files that the settings name."""
    manifest = restore_into(folder, Source.of(settings), report=report)
    report(_content(manifest))
    report("Everybody signs in anew. Run `goodfit migrate` before the processes start")
    return 0


def _content(manifest: Manifest) -> str:
    rows = sum(manifest.rows().values())
    made = manifest.created_at.isoformat(timespec="seconds")
    return f"{len(manifest.files):,} files and {rows:,} rows of {made}"


def verify_backup(folder: Path, *, report: Report) -> int:
    """Check a backup against its manifest."""
    return _tell(check_backup(folder, report=report), report)


def verify_product(settings: Settings, *, report: Report) -> int:
    """Check the files of the product that the settings describe."""
    return _tell(check_product(Source.of(settings), report=report), report)


def _tell(findings: Findings, report: Report) -> int:
    for note in findings.notes:
        report(note)
    for problem in findings.problems[:SHOWN]:
        report(f"PROBLEM: {problem}")
    if len(findings.problems) > SHOWN:
        report(f"and {len(findings.problems) - SHOWN:,} more problems")
    report("everything is there" if not findings.problems else "not everything is there")
    return PROBLEMS if findings.problems else 0
