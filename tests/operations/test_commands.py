"""`goodfit backup`, `restore` and `verify` as people type them, over a home that stands still."""

import os
import subprocess
import sys
from pathlib import Path

from backend.operations.backup.create import backup
from backend.stack.state import HomeLock
from tests.operations.conftest import Product


def goodfit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GOODFIT_")}
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "backend.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=kept,
    )


def test_home_is_restored_verified_and_backed_up_again(
    product: Product, tmp_path: Path, home: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    backup(product.source, first, report=lambda _text: None)
    restored = goodfit("restore", first, "--home", home)
    assert restored.returncode == 0, restored.stderr
    assert "Everybody signs in anew" in restored.stdout
    verified = goodfit("verify", "--home", home)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "everything is there" in verified.stdout
    made = goodfit("backup", second, "--home", home)
    assert (made.returncode, made.stderr) == (0, "")
    assert goodfit("verify", second).returncode == 0
    next((second / "files").glob("*/*")).write_text("changed")
    damaged = goodfit("verify", second)
    assert damaged.returncode == 1
    assert "PROBLEM: files/" in damaged.stdout
    assert not (home / "state.json").exists()


def test_home_without_a_product_or_in_motion_is_refused(tmp_path: Path) -> None:
    empty = goodfit("backup", tmp_path / "backup", "--home", tmp_path)
    assert empty.returncode == 1
    assert empty.stderr == f"goodfit: {tmp_path}: there is no Goodfit in this folder\n"
    (tmp_path / "postgres-18").mkdir()
    (tmp_path / "run").mkdir()
    with HomeLock(tmp_path) as lock:
        assert lock.acquire()
        busy = goodfit("verify", "--home", tmp_path)
    assert busy.returncode == 1
    assert "just starting or stopping" in busy.stderr
    assert not (tmp_path / "backup").exists()


def test_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    for command in (("verify", tmp_path), ("restore", tmp_path, "--home", tmp_path / "home")):
        answer = goodfit(*command)
        assert answer.returncode == 1
        assert answer.stderr.startswith(f"goodfit: {tmp_path}: no manifest.json")
    assert not (tmp_path / "home").exists()
