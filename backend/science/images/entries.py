"""The entries of a zip: counted before its directory is read, each of them safe to take.

Reference: OWASP ASVS 5.0, V5.2 (file upload): size after decompression, entries, links, paths.
"""

import re
import stat
import struct
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from backend.science.images.problem import ImageProblem

# Folders and what operating systems leave behind stand beside the images.
SPARE_ENTRIES: Final = 100
DIRECTORY_BYTES_PER_ENTRY: Final = 1_000
END_RECORD: Final = struct.Struct("<4s4H2LH")
END_MAGIC: Final = b"PK\x05\x06"
# A large archive tells its numbers again, right before its end.
LARGE_LOCATOR: Final = struct.Struct("<4sLQL")
LARGE_LOCATOR_MAGIC: Final = b"PK\x06\x07"
LARGE_RECORD: Final = struct.Struct("<4sQ2H2L4Q")
LONGEST_COMMENT: Final = 65_535
IS_ENCRYPTED: Final = 0x1 | 0x40
OFFICE_ENTRY: Final = "[Content_Types].xml"
LEFT_BEHIND: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive, not yet read; `number` counts from 1."""

    number: int
    name: str
    info: zipfile.ZipInfo


def check_directory(path: Path, max_images: int) -> None:
    """Bound the archive's directory before all of it is read into memory.

    Raises
    ------
    ImageProblem
        It has no end, or too many entries.
    """
    before = LARGE_LOCATOR.size + LARGE_RECORD.size
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - before - END_RECORD.size - LONGEST_COMMENT))
        tail = file.read()
    start = tail.rfind(END_MAGIC)
    if start < 0 or len(tail) < start + END_RECORD.size:
        raise ImageProblem("The zip archive is damaged: it has no end.")
    told = [END_RECORD.unpack_from(tail, start)[4:6]]
    if start >= before and tail.startswith(LARGE_LOCATOR_MAGIC, start - LARGE_LOCATOR.size):
        told.append(LARGE_RECORD.unpack_from(tail, start - before)[7:9])
    for entries, directory_bytes in told:
        most = most_entries(max_images)
        if entries > most or directory_bytes > most * DIRECTORY_BYTES_PER_ENTRY:
            raise _too_many(max_images)


def most_entries(max_images: int) -> int:
    """How many entries an archive of so many images may have."""
    # Twice: macOS writes a second entry for each file.
    return 2 * max_images + SPARE_ENTRIES


def _too_many(max_images: int) -> ImageProblem:
    return ImageProblem(f"The archive has too many entries; at most {max_images:,} images.")


def safe_files(archive: zipfile.ZipFile, max_images: int) -> list[Entry]:
    """The entries that hold something.

    Raises
    ------
    ImageProblem
        An unsafe or repeated name, a link, an encrypted entry, or too many.
    """
    if len(archive.infolist()) > most_entries(max_images):
        raise _too_many(max_images)
    found: list[Entry] = []
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
            found.append(Entry(number, info.filename, info))
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
