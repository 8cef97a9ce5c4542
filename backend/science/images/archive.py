"""A zip of images with `labels.txt`: nothing is written, every limit is counted while inflating.

Reference: OWASP ASVS 5.0, V5.2 (file upload): size after decompression, entries, links, paths.
"""

import itertools
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from backend.science.images.problem import ImageProblem

LABELS: Final = "labels.txt"
CHUNK: Final = 1 << 16
# Small files of equal lines, such as labels sorted by class, shrink by far more and do no harm.
RATIO_COUNTS_FROM: Final = 1_000_000
MOST_RATIO: Final = 200
LONGEST_LABEL: Final = 200
LARGEST_ENTRY: Final = 10_000_000
# Folders and what operating systems leave behind stand beside the images.
SPARE_ENTRIES: Final = 100
DIRECTORY_BYTES_PER_ENTRY: Final = 1_000
END_RECORD: Final = struct.Struct("<4s4H2LH")
END_MAGIC: Final = b"PK\x05\x06"
LONGEST_COMMENT: Final = 65_535
IS_ENCRYPTED: Final = 0x1 | 0x40
ARCHIVE_MAGICS: Final = (b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ")
OFFICE_ENTRY: Final = "[Content_Types].xml"
LEFT_BEHIND: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


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


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    name: str
    info: zipfile.ZipInfo


class ImageArchive:
    """The checked list of an archive's images; `read` inflates one of them."""

    def __init__(self, archive: zipfile.ZipFile, limits: ArchiveLimits) -> None:
        self._archive = archive
        self._limits = limits
        entries = _files(archive)
        labels_entry, files = _apart(entries)
        if len(files) > limits.max_images:
            raise ImageProblem(f"{len(files):,} images, at most {limits.max_images:,}.")
        ordered = sorted(files, key=lambda entry: entry.name)
        labels = _labels(self._inflate(labels_entry), labels_entry)
        if len(labels) != len(ordered):
            raise ImageProblem(
                f"{LABELS} has {len(labels):,} lines, but there are {len(ordered):,} images.",
                entry=labels_entry.number,
            )
        self.images = [
            LabelledImage(entry.number, entry.name, label, entry.info)
            for entry, label in zip(ordered, labels, strict=True)
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
            content = self._inflate(_Entry(image.number, image.name, image.info))
            total += len(content)
            if total > self._limits.max_bytes:
                raise ImageProblem(
                    f"The archive holds more than {self._limits.max_bytes:,} bytes.",
                    entry=image.number,
                )
            if content.startswith(ARCHIVE_MAGICS):
                raise ImageProblem(f"{image.name} is an archive itself.", entry=image.number)
            yield image, content

    def _inflate(self, entry: _Entry) -> bytes:
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
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError):
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
    _check_directory(path, limits)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        raise ImageProblem("The zip archive is damaged.") from None
    with archive:
        yield ImageArchive(archive, limits)


def _check_directory(path: Path, limits: ArchiveLimits) -> None:
    """The length of the directory, before all of it is read into memory."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - END_RECORD.size - LONGEST_COMMENT))
        tail = file.read()
    start = tail.rfind(END_MAGIC)
    if start < 0 or len(tail) < start + END_RECORD.size:
        raise ImageProblem("The zip archive is damaged: it has no end.")
    entries, directory_bytes = END_RECORD.unpack_from(tail, start)[4:6]
    # Twice: macOS writes a second entry for each file.
    most = 2 * limits.max_images + SPARE_ENTRIES
    if entries > most or directory_bytes > most * DIRECTORY_BYTES_PER_ENTRY:
        raise ImageProblem(
            f"The archive has too many entries; at most {limits.max_images:,} images."
        )


def _files(archive: zipfile.ZipFile) -> list[_Entry]:
    """The entries that hold something, each of them safe."""
    found: list[_Entry] = []
    seen: set[str] = set()
    for number, info in enumerate(archive.infolist(), start=1):
        _check_entry(number, info)
        if info.filename == OFFICE_ENTRY:
            raise ImageProblem(
                "This is an Office document, not a zip of images. Save a table as CSV."
            )
        key = unicodedata.normalize("NFC", info.filename).casefold()
        if key in seen:
            raise ImageProblem(f"{_shown(info)} stands twice.", entry=number)
        seen.add(key)
        if not info.is_dir() and not _is_left_behind(info.filename):
            found.append(_Entry(number, info.filename, info))
    return found


def _check_entry(number: int, info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    reason = None
    if "\\" in name:
        reason = "has a backslash in its name"
    elif path.is_absolute() or re.match(r"[A-Za-z]:", name):
        reason = "has an absolute path"
    elif ".." in path.parts:
        reason = "leads out of the archive"
    elif not name or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        reason = "has a control character in its name, or no name"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = "is a link or a device"
    elif info.flag_bits & IS_ENCRYPTED:
        reason = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        reason = "is compressed in an unusual way; use deflate"
    if reason is not None:
        raise ImageProblem(f"Entry {number:,}, {_shown(info)}, {reason}.", entry=number)


def _shown(info: zipfile.ZipInfo) -> str:
    return ascii(info.orig_filename[:100])


def _is_left_behind(name: str) -> bool:
    """What macOS and Windows put beside the files."""
    parts = PurePosixPath(name).parts
    leaf = parts[-1]
    return "__MACOSX" in parts or leaf.startswith("._") or leaf.lower() in LEFT_BEHIND


def _apart(entries: Sequence[_Entry]) -> tuple[_Entry, list[_Entry]]:
    """The labels, and the files below their folder with their paths from there."""
    labels = [entry for entry in entries if PurePosixPath(entry.name).name == LABELS]
    if not labels:
        raise ImageProblem(f"The archive has no {LABELS}: one label per line, in file-name order.")
    first = min(labels, key=lambda entry: entry.name.count("/"))
    folder = first.name.removesuffix(LABELS)
    files: list[_Entry] = []
    for entry in entries:
        if entry is first:
            continue
        if not entry.name.startswith(folder):
            raise ImageProblem(
                f"{entry.name} is not in the folder of {LABELS}.", entry=entry.number
            )
        files.append(_Entry(entry.number, entry.name.removeprefix(folder), entry.info))
    if not files:
        raise ImageProblem("The archive has no images.")
    return first, files


def _labels(content: bytes, entry: _Entry) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ImageProblem(
            f"{LABELS} is not UTF-8 (line {line:,}).", entry=entry.number, line=line
        ) from None
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1].strip() == "":
        lines.pop()
    labels = [unicodedata.normalize("NFC", line).strip() for line in lines]
    for line, label in enumerate(labels, start=1):
        if problem := _label_problem(label):
            raise ImageProblem(
                f"{LABELS}, line {line:,}: {problem}.", entry=entry.number, line=line
            )
    return labels


def _label_problem(label: str) -> str | None:
    if not label:
        return "the label is empty"
    if len(label) > LONGEST_LABEL:
        return f"the label is longer than {LONGEST_LABEL} characters"
    if any(unicodedata.category(char) == "Cc" for char in label):
        return "the label has a control character"
    return None


def reads_otherwise(names: Sequence[str]) -> tuple[str, str] | None:
    """Two neighbours whose numbers are in the other order: 10.png stands before 2.png as text.

    Parameters
    ----------
    names
        File names in the order of their text.
    """
    for one, next_one in itertools.pairwise(names):
        if _by_numbers(one) > _by_numbers(next_one):
            return one, next_one
    return None


def _by_numbers(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [
        (0, int(part), "") if part[0].isascii() and part[0].isdigit() else (1, 0, part)
        for part in parts
    ]
