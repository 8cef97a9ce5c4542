"""Values of a column as JSON tells them apart: numbers, text, booleans; never mixed, never NaN."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from backend.science.tables.inference import BEYOND_64_BITS

BOOLEAN: Final = "true or false"
NUMBER: Final = "a number"
TEXT: Final = "text"
KINDS: Final[Mapping[type, str]] = {bool: BOOLEAN, int: NUMBER, float: NUMBER, str: TEXT}
TOO_LARGE: Final = "the number is too large or infinite"
Warn = Callable[[str], None]


class CellProblem(ValueError):
    """A value does not go with its column; `row` counts from 0."""

    def __init__(self, column: str, row: int, message: str) -> None:
        super().__init__(f"{column}, row {row}: {message}")
        self.column = column
        self.row = row
        self.message = message


def kind_of(name: str, values: Sequence[Any], before: str | None = None) -> str | None:
    """What all values of a column are; None where none is known.

    Parameters
    ----------
    name
        Of the column.
    values
        As they came out of JSON.
    before
        What the values before them are.

    Raises
    ------
    CellProblem
        The first value that is no scalar, or of another kind than those before it.
    """
    wanted = {KINDS.get(kind) for kind in set(map(type, values)) - {type(None)}}
    if before is not None:
        wanted.add(before)
    if len(wanted) <= 1 and None not in wanted:
        return next(iter(wanted), None)
    first = before
    for row, value in enumerate(values):
        if value is None:
            continue
        kind = KINDS.get(type(value))
        if kind is None:
            raise CellProblem(name, row, "a number, text, boolean or null is wanted")
        first = first or kind
        if kind != first:
            raise CellProblem(name, row, f"{kind}, but the values before are {first}")
    raise AssertionError("kinds differ in no row")


def array_of(
    name: str, values: Sequence[Any], kind: str | None, max_cell_bytes: int, warn: Warn
) -> pa.Array:
    """Values of one kind as int64, float64, bool, string or null.

    Parameters
    ----------
    name, values
        As for `kind_of`.
    kind
        What that function found.
    max_cell_bytes
        Bound on one text.
    warn
        Told what is not kept as it was.

    Raises
    ------
    CellProblem
        The first text or number that cannot be stored.
    """
    if kind is None:
        return pa.nulls(len(values))
    if kind == BOOLEAN:
        return pa.array(values, pa.bool_())
    if kind == TEXT:
        return _texts(name, values, max_cell_bytes)
    return _numbers(name, values, warn)


def _texts(name: str, values: Sequence[str | None], max_cell_bytes: int) -> pa.Array:
    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values) if value and not _encodes(value))
        raise CellProblem(name, row, "the text contains an unpaired surrogate") from None
    nul = pc.index(pc.match_substring(texts, "\x00"), pa.scalar(True)).as_py()
    if nul >= 0:
        raise CellProblem(name, nul, "the text contains the character U+0000")
    is_long = pc.greater(pc.binary_length(texts), max_cell_bytes)
    long = pc.index(is_long, pa.scalar(True)).as_py()
    if long >= 0:
        raise CellProblem(name, long, f"the text is longer than {max_cell_bytes:,} bytes")
    return texts


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(name: str, values: Sequence[int | float | None], warn: Warn) -> pa.Array:
    if set(map(type, values)) <= {int, type(None)}:
        try:
            return pa.array(values, pa.int64())
        except (pa.ArrowInvalid, OverflowError):
            warn(f"{name}: {BEYOND_64_BITS}")
    try:
        array = pa.array(values, pa.float64())
    except pa.ArrowInvalid:
        # Whole numbers that float64 holds approximately.
        array = _approximate(name, values)
    row = pc.index(pc.is_finite(array), pa.scalar(False)).as_py()
    if row >= 0:
        raise CellProblem(name, row, TOO_LARGE)
    return array


def _approximate(name: str, values: Sequence[int | float | None]) -> pa.Array:
    numbers: list[float | None] = []
    for row, value in enumerate(values):
        try:
            numbers.append(None if value is None else float(value))
        except OverflowError:
            raise CellProblem(name, row, TOO_LARGE) from None
    return pa.array(numbers, pa.float64())
