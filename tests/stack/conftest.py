"""Folders that PostgreSQL's own account can enter, unlike pytest's."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="goodfit test "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
