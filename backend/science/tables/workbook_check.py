"""Is this a workbook that may be opened? Everything is inflated and counted once before.

Reference: OWASP ASVS 5.0, V5.2 (file upload): size after decompression, entries, entities.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Final

from backend.science.tables.table_file import ReadLimits
from backend.science.text_check import TableProblem

WORKBOOK: Final = "xl/workbook.xml"
BINARY_WORKBOOK: Final = "xl/workbook.bin"
OPEN_DOCUMENT: Final = "content.xml"
LINKS: Final = "xl/externalLinks/"
OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM: Final = "EncryptedPackage".encode("utf-16-le")
MOST_ENTRIES: Final = 10_000
MOST_INFLATED_BYTES: Final = 1_000_000_000
RATIO_COUNTS_FROM: Final = 10_000_000
# The reader keeps a place for every cell of the rectangle that a sheet reaches over.
MOST_CELLS: Final = 20_000_000
CHUNK: Final = 1 << 20
# What may be cut by the end of a chunk.
OVERLAP: Final = 64
IS_ENCRYPTED: Final = 0x1 | 0x40
DECLARATION: Final = re.compile(rb"<!(DOCTYPE|ENTITY)")
PLACE: Final = re.compile(rb'\sr="([A-Z]{0,3})(\d{1,7})"')
DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError,
    ValueError, struct.error,
)  # fmt: skip


def check_workbook(path: Path, limits: ReadLimits) -> None:
    """Refuse what is no .xlsx workbook, or a dangerous one.

    Parameters
    ----------
    path
        The file.
    limits
        Bounds on its size and on its ratio of compression.

    Raises
    ------
    TableProblem
        Another kind of workbook, damaged, encrypted, too large, with document types, entities or
        links to other workbooks.
    """
    _refuse_ole(path)
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE:
        raise TableProblem("The workbook is damaged: it is no zip archive.") from None
    with archive:
        entries = archive.infolist()
        _check_names(entries)
        total = 0
        most = min(MOST_INFLATED_BYTES, limits.max_inflated_bytes)
        allowed = max(RATIO_COUNTS_FROM, limits.max_ratio * path.stat().st_size)
        for entry in entries:
            extent = _Extent(entry.filename)
            for chunk, overlap in _chunks(archive, entry):
                total += len(chunk) - overlap
                if total > most:
                    raise TableProblem(f"The workbook holds more than {most:,} bytes.")
                if total > allowed:
                    raise TableProblem(
                        f"The workbook is more than {limits.max_ratio} times its compressed size."
                    )
                extent.take(chunk)


def _refuse_ole(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(OLE_MAGIC)) != OLE_MAGIC:
            return
        tail = b""
        while chunk := file.read(CHUNK):
            if ENCRYPTED_STREAM in tail + chunk:
                raise TableProblem(
                    "The workbook is encrypted. Save it without a password and send it again."
                )
            tail = chunk[-len(ENCRYPTED_STREAM) :]
    raise TableProblem("This is an old Excel file (.xls). Save it as .xlsx or CSV.")


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise TableProblem(f"The workbook has {len(entries):,} parts, at most {MOST_ENTRIES:,}.")
    names = {entry.filename for entry in entries}
    if len(names) < len(entries):
        raise TableProblem("The workbook is damaged: a part stands twice.")
    if any(entry.flag_bits & IS_ENCRYPTED for entry in entries):
        raise TableProblem("The workbook is encrypted. Save it without a password.")
    if WORKBOOK not in names:
        if BINARY_WORKBOOK in names or OPEN_DOCUMENT in names:
            raise TableProblem("Only Excel's .xlsx is read. Save the workbook as .xlsx or CSV.")
        raise TableProblem("The zip archive holds no workbook.")
    if any(name.startswith(LINKS) for name in names):
        raise TableProblem(
            "The workbook takes values from other workbooks. Save a copy with values only."
        )


def _chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[tuple[bytes, int]]:
    """What an entry inflates to, each piece with so many bytes of the one before."""
    tail = b""
    try:
        with archive.open(entry) as file:
            while chunk := file.read(CHUNK):
                yield tail + chunk, len(tail)
                tail = chunk[-OVERLAP:]
    except DAMAGE:
        raise _damaged(entry.filename) from None


def _damaged(name: str) -> TableProblem:
    return TableProblem(f"The workbook is damaged: {name[:100]!a} cannot be read.")


class _Extent:
    """The rectangle that the cells of a part reach over."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_xml = name.lower().endswith((".xml", ".rels", ".vml"))
        self._columns: set[int] = set()
        self._rows: set[int] = set()

    def take(self, chunk: bytes) -> None:
        """Look at the next bytes.

        Raises
        ------
        TableProblem
            They declare a document type, are not UTF-8, or reach too far.
        """
        if not self._is_xml:
            return
        if b"\x00" in chunk:
            raise _damaged(self._name)
        if DECLARATION.search(chunk):
            raise TableProblem(
                "The workbook declares a document type or an entity, which no workbook needs."
            )
        if b"<c" not in chunk and b":c" not in chunk:
            return
        places = PLACE.findall(chunk)
        self._columns.update(_extremes(set(map(_number, set(map(itemgetter(0), places)) - {b""}))))
        self._rows.update(_extremes({int(row) for row in set(map(itemgetter(1), places))}))
        cells = _reach(self._columns) * _reach(self._rows)
        if cells > MOST_CELLS:
            raise TableProblem(
                f"A sheet reaches over {cells:,} cells, at most {MOST_CELLS:,}. Delete what stands "
                "far from the table, or save the table as CSV."
            )


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _extremes(numbers: set[int]) -> set[int]:
    return {min(numbers), max(numbers)} if numbers else set()


def _reach(numbers: set[int]) -> int:
    return max(numbers) - min(numbers) + 1 if numbers else 0
