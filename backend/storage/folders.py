"""Plain folders of files behind an fsspec address; unlike blobs, named by somebody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import fsspec


class FileFolder:
    """The files below one address, by their paths relative to it."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every file with its bytes; slow on a large folder."""
        if not self._fs.exists(self._root):
            return
        for path, details in sorted(self._fs.find(self._root, detail=True).items()):
            yield path.removeprefix(self._root).lstrip("/"), int(details["size"])

    def open(self, path: str) -> BinaryIO:
        """A readable file."""
        file: BinaryIO = self._fs.open(f"{self._root}/{path}", "rb")
        return file

    def put_file(self, local: Path, path: str) -> None:
        """Store a local file under a path, in place of what is there."""
        target = f"{self._root}/{path}"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._fs.put_file(str(local), target)

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        found: bool = self._fs.exists(f"{self._root}/{path}")
        return found
