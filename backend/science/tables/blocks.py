"""Regular delimited text in blocks of whole records, checked with a few passes over the bytes.

A regular file has no blank lines, ends its lines with LF or CR LF, quotes whole cells or none, and
has as many fields in each line as in the header. Everything else is left to `records`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from backend.science.tables.bits import (
    BITS,
    Bits,
    Bytes,
    bits_of,
    digit_bits,
    ones,
    parity,
    shifted_back,
    shifted_on,
)

BLOCK_BYTES: Final = 16 << 20
# In blocks; a longer record is no record.
LONGEST_RECORD: Final = 4
LF, CR, QUOTE, ZERO = b'\n\r"0'
BLANKS: Final = (b" ", b"\t")


class Irregular(Exception):
    """This text needs the slower, exact reader."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says about every line.

    Attributes
    ----------
    max_line_bytes
        A longer line is irregular: one of its cells may be too long.
    """

    delimiter: str
    fields: int
    max_line_bytes: int


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, each ended.

    Attributes
    ----------
    end
        Bytes of the file up to the end of the block.
    """

    content: bytes
    end: int


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What was found in a block.

    Attributes
    ----------
    leading_zeros
        Positions of the columns that hold something like 007.
    """

    rows: int
    leading_zeros: frozenset[int]


def blocks(path: Path, start: int, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Cut a file at the ends of records.

    Parameters
    ----------
    path, start
        The file and where its first row begins.
    size
        Bytes to read at a time.

    Raises
    ------
    Irregular
        A record is longer than a block, or the file ends within quotes.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        rest, end = b"", start
        while chunk := file.read(size):
            cut = _last_record_end(chunk, rest.count(b'"') % 2)
            if cut:
                content = b"".join((rest, memoryview(chunk)[:cut]))
                rest = chunk[cut:]
                end += len(content)
                yield Block(content, end)
            else:
                rest += chunk
                if len(rest) > LONGEST_RECORD * size:
                    raise Irregular
        if rest:
            if rest.count(b'"') % 2:
                raise Irregular
            yield Block(rest + b"\n", end + len(rest))


def _last_record_end(chunk: bytes, quotes_before: int) -> int:
    """Behind the last line end that is outside quotes; 0 without one."""
    quotes = quotes_before + chunk.count(b'"')
    end = len(chunk)
    while (newline := chunk.rfind(b"\n", 0, end)) >= 0:
        quotes -= chunk.count(b'"', newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


def examine(content: bytes, shape: Shape) -> BlockFacts:
    """Check a block.

    Raises
    ------
    Irregular
        The block is not regular, or no UTF-8.
    """
    if b"\0" in content or not _is_utf8(content):
        raise Irregular
    text: Bytes = np.frombuffer(content, np.uint8)
    delimiter, newline = bits_of(text, ord(shape.delimiter)), bits_of(text, LF)
    quote = bits_of(text, QUOTE) if b'"' in content else np.zeros_like(newline)
    cr = bits_of(text, CR) if b"\r" in content else np.zeros_like(newline)
    outside = _outside_quotes(delimiter, newline, quote, cr)
    edge = delimiter | newline | quote
    delimiter &= outside
    newline &= outside
    rows = ones(newline)
    if ones(delimiter) != rows * (shape.fields - 1):
        raise Irregular
    _check_lines(newline, cr & outside, shape.max_line_bytes)
    suspects = _leading_zeros(text, content, edge)
    cells = delimiter | newline
    return BlockFacts(rows, frozenset(_columns(suspects, cells, shape.fields)))


def _is_utf8(content: bytes) -> bool:
    if content.isascii():
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _outside_quotes(delimiter: Bits, newline: Bits, quote: Bits, cr: Bits) -> Bits:
    """Which bytes stand outside quotes; a closing quote counts as outside."""
    if not quote.any():
        return ~quote
    inside = parity(quote)
    before = shifted_on(delimiter | newline | quote, first=True)
    after = shifted_back(delimiter | newline | quote | cr)
    opens_within = quote & inside & ~before
    goes_on = quote & ~inside & ~after
    if opens_within.any() or goes_on.any():
        raise Irregular
    return ~inside


def _check_lines(newline: Bits, cr: Bits, longest: int) -> None:
    """No line is blank or too long, and each ends with LF or CR LF."""
    starts = shifted_on(newline, first=True)
    blank = (starts & newline) | (starts & cr & shifted_back(newline))
    lone = cr & ~shifted_back(newline)
    if blank.any() or lone.any():
        raise Irregular
    ended = np.flatnonzero(newline)
    # Known to a word: a line that may be longer is looked at more closely.
    if (np.diff(ended, prepend=0).max() + 1) * BITS > longest:
        raise Irregular


def _leading_zeros(text: Bytes, content: bytes, edge: Bits) -> Bits:
    """Zeros at the beginning of a cell with a digit behind them, as postal codes have."""
    begins = shifted_on(edge, first=True)
    for blanks in (bits_of(text, blank[0]) for blank in BLANKS if blank in content):
        # Also within a cell, as before the hour of a time: no column of numbers has any there.
        begins |= shifted_on(blanks, first=False)
    zeros = bits_of(text, ZERO) & begins
    return zeros & shifted_back(digit_bits(text)) if zeros.any() else zeros


def _columns(marked: Bits, cells: Bits, fields: int) -> list[int]:
    """The columns in which marked bytes stand; `cells` marks where cells end."""
    words = np.flatnonzero(marked)
    if not len(words):
        return []
    before = np.cumsum(np.bitwise_count(cells), dtype=np.int64) - np.bitwise_count(cells)
    found = np.zeros(fields, np.bool_)
    for bit in range(BITS):
        here = words[(marked[words] >> np.uint64(bit)) & np.uint64(1) == 1]
        passed = np.bitwise_count(cells[here] & np.uint64((1 << bit) - 1))
        found[(before[here] + passed) % fields] = True
    return np.flatnonzero(found).tolist()
