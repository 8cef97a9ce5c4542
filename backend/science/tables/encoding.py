"""Text of any encoding becomes UTF-8; what is no text is named by line and byte."""

import codecs
from pathlib import Path
from typing import Final

from backend.science.tables.sniff import find_byte_order_mark
from backend.science.text_check import TableProblem

CHUNK: Final = 1 << 20
ADVICE: Final = "Save it as UTF-8."
# Python's codecs of other things than files of text; some of them take hours for a large one.
NO_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"}
)
CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13}


def find_codec(head: bytes, wanted: str | None) -> str:
    """Python's name of a file's encoding: what the sender says, its mark, else UTF-8.

    Raises
    ------
    TableProblem
        The encoding is unknown or none of text.
    """
    if wanted is None:
        return find_byte_order_mark(head) or "utf-8"
    try:
        "a".encode(wanted)
        name = codecs.lookup(wanted).name
        if name.replace("-", "_") in NO_ENCODINGS:
            raise LookupError(name)
    except (LookupError, ValueError):
        raise TableProblem(
            f"The encoding {wanted!r} is unknown. Common ones: utf-8, utf-16, windows-1252."
        ) from None
    return "utf-8" if name in ("ascii", "utf-8-sig") else name


def write_utf8(source: Path, codec: str, target: Path) -> None:
    """Write a text file anew as UTF-8 without a mark.

    Raises
    ------
    TableProblem
        The text is not of that encoding, and where.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    lines = 0
    with source.open("rb") as file, target.open("w", encoding="utf-8", newline="") as sink:
        first = True
        while True:
            chunk = file.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
                sink.write(text.removeprefix("\ufeff") if first else text)
            except ValueError:
                raise TableProblem(
                    f"The file is not {codec} (after line {lines + 1:,}).", line=lines + 1
                ) from None
            if not chunk:
                return
            first = first and not text
            lines += text.count("\n")


def check_utf8(path: Path) -> None:
    """Find the first byte that is no text.

    Raises
    ------
    TableProblem
        A NUL byte, or bytes that are not UTF-8, with the line and a proposal.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = bytes_before = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            pending = len(decoder.getstate()[0])
            nul = chunk.find(b"\0")
            try:
                decoder.decode(chunk if nul < 0 else chunk[:nul], final=not chunk and nul < 0)
            except UnicodeDecodeError as error:
                start = error.start - pending
                line = lines + chunk.count(b"\n", 0, max(0, start)) + 1
                raise TableProblem(
                    f"The file is not UTF-8 (line {line:,}, byte {bytes_before + start + 1:,}). "
                    f"{_advice(path, bytes_before + start)}",
                    line=line,
                ) from None
            if nul >= 0:
                line = lines + chunk.count(b"\n", 0, nul) + 1
                raise TableProblem(
                    f"Line {line:,} contains a NUL byte, so this is not a text file in UTF-8. "
                    f"{_advice(path, max(0, bytes_before + nul - 2))}",
                    line=line,
                )
            if not chunk:
                return
            lines += chunk.count(b"\n")
            bytes_before += len(chunk)


def _advice(path: Path, position: int) -> str:
    """What the file most likely is, from the bytes around the bad one."""
    with path.open("rb") as file:
        file.seek(max(0, position - 200) // 2 * 2)
        sample = file.read(CHUNK)
    guess = _looks_like(sample)
    if guess is None:
        return ADVICE
    return f"It looks like {guess}: send it again with encoding={guess}."


def _looks_like(sample: bytes) -> str | None:
    for nuls, others, codec in (
        (sample[1::2], sample[::2], "utf-16-le"),
        (sample[::2], sample[1::2], "utf-16-be"),
    ):
        if nuls.count(0) > 0.7 * len(nuls) and others.count(0) < 0.1 * len(others):
            return codec
    if CONTROLS & set(sample):
        return None
    try:
        sample.decode("windows-1252")
    except UnicodeDecodeError:
        return None
    return "windows-1252"
