"""Folders of work: gone afterwards, swept when their worker is gone, never while it lives."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backend.jobs.folders import sweep_folders, work_folder

HOLDER = """
import time
from backend.jobs.folders import work_folder
with work_folder("fit") as folder:
    (folder / "data.parquet").write_bytes(b"rows")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_folder_of_work_that_goes_on_stays_and_is_gone_afterwards(tmp_path: Path) -> None:
    with work_folder("reproduce") as folder:
        assert folder.parent == tmp_path
        assert sweep_folders(-1) == 0
        assert folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_sweep_removes_the_folder_of_a_killed_worker_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "goodfit-else").mkdir()
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        assert sweep_folders(-1) == 0
        holder.send_signal(signal.SIGKILL)
    assert folder.is_dir()
    assert sweep_folders() == 0, "it may be one that is being made"
    assert sweep_folders(-1) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["goodfit-else"]
