"""Folders of uploads: gone afterwards, swept when their process is gone, never while it lives."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backend.datasets.workspaces import DiskFull, sweep, uploads_folder, workspace
from backend.storage.blobs import BlobStore

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from backend.datasets.workspaces import workspace
async def hold():
    async with workspace(Path(sys.argv[1])) as folder:
        (folder / "upload").write_bytes(b"half of it")
        print(folder, flush=True)
        time.sleep(60)
asyncio.run(hold())
"""


async def test_folder_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with workspace(tmp_path) as folder:
            (folder / "upload").write_bytes(b"x" * (1 // 0))
    assert not list(uploads_folder(tmp_path).iterdir())


async def test_sweep_leaves_the_folder_of_an_upload_that_goes_on(tmp_path: Path) -> None:
    async with workspace(tmp_path) as folder:
        assert sweep(tmp_path) == 0
        assert folder.is_dir()


def test_sweep_without_any_upload_yet_does_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path / "new") == 0


def test_sweep_removes_the_folder_of_a_killed_process(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        assert sweep(tmp_path) == 0
        holder.send_signal(signal.SIGKILL)
    assert folder.is_dir()
    assert sweep(tmp_path) == 1
    assert not folder.exists()


def test_half_a_file_in_the_store_is_swept_once_nobody_can_write_it(tmp_path: Path) -> None:
    (tmp_path / "partial-1").write_bytes(b"half of it")
    source = tmp_path / "source"
    source.write_bytes(b"all of it")
    blobs = BlobStore(str(tmp_path))
    digest = blobs.put_file(source)
    assert blobs.sweep_partials(60) == 0
    assert blobs.sweep_partials(-1) == 1
    assert blobs.read(digest) == b"all of it"
    assert not list(tmp_path.glob("partial-*"))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("No space left on device (os error 28)"),
    ],
)
async def test_full_disk_is_told_as_such(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(DiskFull):
        async with workspace(tmp_path):
            raise error


async def test_other_errors_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        async with workspace(tmp_path):
            raise PermissionError(errno.EACCES, "Permission denied")
