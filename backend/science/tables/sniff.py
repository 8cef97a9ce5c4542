"""What a file is, told by its content; its name says nothing."""

import codecs
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from backend.science.tables.table_file import Compression, Format
from backend.science.text_check import TableProblem

Content = Literal["gzip", "zstd", "parquet", "arrow", "excel", "json_lines", "json", "csv"]
HEAD_BYTES: Final = 64 << 10
MAGIC: Final[Mapping[bytes, Content]] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    # With an encrypted footer.
    b"PARE": "parquet",
    b"ARROW1": "arrow",
    # A stream of Arrow messages.
    b"\xff\xff\xff\xff": "arrow",
    # The first version of Feather.
    b"FEA1": "arrow",
    # Excel before 2007, and encrypted workbooks.
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "excel",
}
ZIP: Final = b"PK\x03\x04"
EMPTY_ZIP: Final = b"PK\x05\x06"
# What people send by mistake.
NO_TABLES: Final = {
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    **{b"BZh%d1AY&SY" % level: "compressed with bzip2; use gzip or zstd" for level in range(1, 10)},
    b"\xfd7zXZ": "compressed with xz; use gzip or zstd",
    b"7z\xbc\xaf": "a 7-Zip archive; use gzip or zstd",
    b"Rar!\x1a\x07": "a RAR archive; use gzip or zstd",
    b"\x04\x22\x4d\x18": "compressed with lz4; use gzip or zstd",
    b"\x7fELF": "a program",
    b"SQLite format 3\0": "a SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"\x80\x04": "a pickle, which can run code; save it as Parquet or CSV",
    b"\x80\x05": "a pickle, which can run code; save it as Parquet or CSV",
}
COMPRESSIONS: Final[Mapping[Content, Compression]] = {"gzip": "gzip", "zstd": "zstd"}
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DELIMITERS: Final = (",", "\t", ";", "|")
SAMPLE_LINES: Final = 50


def sniff(path: Path, wanted: Format | None) -> Content:
    """The kind of a file's content.

    Parameters
    ----------
    path
        The file.
    wanted
        What the sender says it is.

    Raises
    ------
    TableProblem
        It is no table, or not what the sender says.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise TableProblem("The file is empty.", line=1)
    found = _by_magic(path, head)
    if found is None:
        if wanted in ("parquet", "arrow", "excel"):
            raise TableProblem(f"The file is not {NAMES[wanted]}.")
        return wanted or _by_text(head)
    if wanted not in (None, found) and found not in COMPRESSIONS:
        raise TableProblem(f"The file is {NAMES[found]}, not {NAMES[wanted]}.")
    return found


NAMES: Final[Mapping[Content, str]] = {
    "csv": "delimited text",
    "json_lines": "JSON lines",
    "json": "JSON",
    "parquet": "a Parquet file",
    "arrow": "an Arrow or Feather file",
    "excel": "an Excel workbook",
}


def _by_magic(path: Path, head: bytes) -> Content | None:
    """What the first bytes say; None for what may be text."""
    for mark, content in MAGIC.items():
        # PARENT_ID,NAME is a header of text; files of these formats hold zero bytes.
        if head.startswith(mark) and (not mark.isalnum() or b"\0" in head):
            return content
    if head.startswith((ZIP, EMPTY_ZIP)):
        return _in_zip(path)
    for mark, name in NO_TABLES.items():
        if head.startswith(mark):
            raise TableProblem(f"The file is {name}.")
    return None


def _in_zip(path: Path) -> Content:
    if not is_workbook(path):
        raise TableProblem(
            "The file is a zip archive without a workbook. Tables are sent one by one, "
            "plain or compressed with gzip or zstd."
        )
    return "excel"


def is_workbook(path: Path) -> bool:
    """Whether a zip archive holds an Excel workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return "xl/workbook.xml" in names or "xl/workbook.bin" in names


def _by_text(head: bytes) -> Content:
    mark = find_byte_order_mark(head)
    text = head.decode(mark or "utf-8", errors="ignore").lstrip()
    if text.startswith("{"):
        return "json_lines"
    if text.startswith("[") and text[1:].lstrip()[:1] in ("{", "[", "]"):
        return "json"
    return "csv"


def find_byte_order_mark(head: bytes) -> str | None:
    """The codec that a mark at the beginning of a file stands for."""
    return next((codec for mark, codec in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def find_delimiter(lines: Sequence[str]) -> str:
    """The separator that the first lines have in common, else the one most used in the header.

    Parameters
    ----------
    lines
        First lines of the file that are not blank, at least one; the last may be cut off.
    """
    counts = {d: [_unquoted(line).count(d) for line in lines] for d in DELIMITERS}
    whole = slice(0, max(1, len(lines) - 1))
    even = [d for d in DELIMITERS if counts[d][0] and len(set(counts[d][whole])) == 1]
    return max(even or DELIMITERS, key=lambda delimiter: counts[delimiter][0])


def _unquoted(line: str) -> str:
    return "".join(line.split('"')[::2])
