"""A zip of labelled images: nothing is written, every limit is counted while inflating."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.science.images.entries import Entry, check_directory, safe_files
from backend.science.images.labelling import label_images
from backend.science.images.problem import ImageProblem

CHUNK: Final = 1 << 16
# Small files of equal lines, such as labels sorted by class, shrink by far more and do no harm.
RATIO_COUNTS_FROM: Final = 1_000_000
# Entries may share their bytes, so the whole is looked at as well.
TOTAL_RATIO_COUNTS_FROM: Final = 100_000_000
MOST_RATIO: Final = 200
LARGEST_ENTRY: Final = 10_000_000
ARCHIVE_MAGICS: Final = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)  # fmt: skip
# All that zipfile raises for archives that somebody damaged.
DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, LookupError, struct.error,
    UnicodeError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds on an archive; `max_bytes` is what it may hold after decompression."""

    max_images: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image of an archive, not yet read."""

    number: int
    name: str
    label: str
    info: zipfile.ZipInfo


class ImageArchive:
    """The checked list of an archive's images; `read_all` inflates them.

    Attributes
    ----------
    images
        In the order of their names.
    by_folder
        Whether the labels are the names of folders.
    """

    def __init__(self, archive: zipfile.ZipFile, limits: ArchiveLimits, size: int) -> None:
        self._archive = archive
        self._limits = limits
        self._size = size
        files = safe_files(archive, limits.max_images)
        found = label_images(files, self._inflate, limits.max_images)
        self.by_folder = found.by_folder
        self.images = [
            LabelledImage(entry.number, entry.name, label, entry.info)
            for entry, label in zip(found.entries, found.labels, strict=True)
        ]

    def read_all(self) -> Iterator[tuple[LabelledImage, bytes]]:
        """Each image with its file, in the order of the labels.

        Raises
        ------
        ImageProblem
            One is damaged, or they are larger than the limits allow.
        """
        total = 0
        for image in self.images:
            content = self._inflate(Entry(image.number, image.name, image.info))
            total += len(content)
            self._check_total(total, image.number)
            if content.startswith(ARCHIVE_MAGICS):
                raise ImageProblem(f"{image.name} is an archive itself.", entry=image.number)
            yield image, content

    def _check_total(self, total: int, number: int) -> None:
        if total > self._limits.max_bytes:
            most = self._limits.max_bytes
            raise ImageProblem(f"The archive holds more than {most:,} bytes.", entry=number)
        if total > max(TOTAL_RATIO_COUNTS_FROM, MOST_RATIO * self._size):
            raise ImageProblem(
                f"The archive is more than {MOST_RATIO} times its compressed size.", entry=number
            )

    def _inflate(self, entry: Entry) -> bytes:
        """The bytes of an entry, counted while they come: declared sizes may lie."""
        parts: list[bytes] = []
        size = 0
        largest = min(LARGEST_ENTRY, self._limits.max_bytes)
        try:
            with self._archive.open(entry.info) as file:
                while chunk := file.read(CHUNK):
                    size += len(chunk)
                    if size > largest:
                        raise ImageProblem(
                            f"{entry.name} is larger than {largest:,} bytes.", entry=entry.number
                        )
                    shrunk = max(1, entry.info.compress_size)
                    if size > RATIO_COUNTS_FROM and size > MOST_RATIO * shrunk:
                        raise ImageProblem(
                            f"{entry.name} is more than {MOST_RATIO} times its compressed size.",
                            entry=entry.number,
                        )
                    parts.append(chunk)
        except DAMAGE:
            raise ImageProblem(f"{entry.name} is damaged.", entry=entry.number) from None
        return b"".join(parts)


@contextmanager
def open_archive(path: Path, limits: ArchiveLimits) -> Iterator[ImageArchive]:
    """Open a zip of images and check everything that its directory tells.

    Parameters
    ----------
    path
        The file as it was received.
    limits
        Bounds on what it may hold.

    Raises
    ------
    ImageProblem
        No zip, too many entries, unsafe or equal names, links, encrypted entries, no labels,
        or another number of labels than of images.
    """
    check_directory(path, limits.max_images)
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE:
        raise ImageProblem("The zip archive is damaged.") from None
    with archive:
        yield ImageArchive(archive, limits, path.stat().st_size)
