"""JSON lines to typed Parquet: one object per line, typed as JSON says, checked line by line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

from backend.science.tables.json_values import CellProblem, array_of, kind_of
from backend.science.tables.parts import TableParts, check_names
from backend.science.tables.table_file import (
    ReadLimits,
    ReadOptions,
    Report,
    TableFile,
    TableSource,
    silent,
)
from backend.science.text_check import TableProblem

BOM: Final = b"\xef\xbb\xbf"
LONGEST_LINE: Final = 16_000_000
LARGEST_ARRAY: Final = 50_000_000
PART_BYTES: Final = 16_000_000
PART_ROWS: Final = 50_000
PART_VALUES: Final = 4_000_000
Object = dict[str, Any]


class _BadLine(ValueError):
    """What is wrong, without saying where."""


def read_json_lines(
    path: Path, options: ReadOptions, limits: ReadLimits, target: Path, report: Report = silent
) -> TableFile:
    """Read a file of JSON objects: one per line, or one array of them if it is small.

    Parameters
    ----------
    path
        The file.
    options
        `encoding` may only be UTF-8: JSON knows no other.
    limits
        Bounds on columns, texts and the whole.
    target
        The typed file to write.
    report
        Told what is done.

    Raises
    ------
    TableProblem
        A line is no object of plain values, a name stands twice in it, or values of a column have
        different kinds.
    """
    if options.encoding and options.encoding.lower().replace("_", "-") not in _UTF_8:
        raise TableProblem("JSON is UTF-8. Leave the encoding out.")
    size = max(1, path.stat().st_size)
    with path.open("rb") as file, TableParts(target.parent, limits) as parts:
        rows = _Rows(file, size)
        columns = _Columns(limits, rows.is_array)
        for numbers, objects in rows.grouped():
            columns.add_to(parts, numbers, objects)
            report(0.5 * file.tell() / size, "Reading")
        return parts.write(target, TableSource("json_lines", encoding="utf-8"), report)


_UTF_8: Final = ("utf-8", "utf8", "utf-8-sig")


class _Rows:
    """The objects of a file, each with its line, or with its place in an array."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        start = file.tell()
        self.is_array = _first_byte(file) == b"["
        file.seek(start)
        if self.is_array and size > LARGEST_ARRAY:
            raise TableProblem(
                f"A JSON array may have {LARGEST_ARRAY:,} bytes. Write one object per line."
            )

    def grouped(self) -> Iterator[tuple[list[int], list[Object]]]:
        """Numbers and objects, as many as memory has place for."""
        numbers: list[int] = []
        objects: list[Object] = []
        size = 0
        for number, item, weight in self._array() if self.is_array else self._lines():
            try:
                objects.append(_object(item))
            except _BadLine as bad:
                raise _problem(number, self.is_array, str(bad)) from None
            numbers.append(number)
            size += weight
            if size > PART_BYTES or len(objects) == PART_ROWS:
                yield numbers, objects
                numbers, objects, size = [], [], 0
        if objects:
            yield numbers, objects

    def _lines(self) -> Iterator[tuple[int, Any, int]]:
        number = 0
        while line := self._file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                message = f"longer than {LONGEST_LINE:,} bytes"
                raise _problem(number, self.is_array, message)
            if line.isspace():
                continue
            try:
                yield number, _parsed(line), len(line)
            except _BadLine as bad:
                raise _problem(number, self.is_array, str(bad)) from None

    def _array(self) -> Iterator[tuple[int, Any, int]]:
        content = self._file.read()
        try:
            items = _parsed(content)
        except _BadLine as bad:
            raise TableProblem(f"The file: {bad}.") from None
        weight = len(content) // max(1, len(items))
        for number, item in enumerate(items, start=1):
            yield number, item, weight


class _Columns:
    """The columns of all objects so far, in the order in which they appeared."""

    def __init__(self, limits: ReadLimits, is_array: bool) -> None:
        self._limits = limits
        self._is_array = is_array
        # As they are kept, by what they are in the file.
        self._names: dict[str, str] = {}
        self._kinds: dict[str, str] = {}

    def add_to(self, parts: TableParts, numbers: list[int], objects: list[Object]) -> None:
        """Check and type the next objects."""
        for number, row in zip(numbers, objects, strict=True):
            if not row.keys() <= self._names.keys():
                self._learn(number, row)
        step = max(1, PART_VALUES // max(1, len(self._names)))
        for start in range(0, len(objects), step):
            some = slice(start, start + step)
            self._add(parts, numbers[some], objects[some])

    def _add(self, parts: TableParts, numbers: list[int], objects: list[Object]) -> None:
        columns: dict[str, pa.Array] = {}
        for raw, name in self._names.items():
            values = [row.get(raw) for row in objects]
            try:
                columns[name] = self._typed(raw, values, parts)
            except CellProblem as bad:
                message = f"{name}: {bad.message}"
                raise _problem(numbers[bad.row], self._is_array, message, name) from None
        parts.add(columns, len(objects), None if self._is_array else numbers)

    def _learn(self, number: int, row: Object) -> None:
        raw = [*self._names, *(name for name in row if name not in self._names)]
        try:
            names = check_names(raw, self._limits)
        except TableProblem as problem:
            message = str(problem).removesuffix(".")
            raise _problem(number, self._is_array, message, problem.column) from None
        self._names = dict(zip(raw, names, strict=True))

    def _typed(self, raw: str, values: list[Any], parts: TableParts) -> pa.Array:
        kind = kind_of(raw, values, self._kinds.get(raw))
        if kind is not None:
            self._kinds[raw] = kind
        name = self._names[raw]
        return array_of(name, values, kind, self._limits.max_cell_bytes, parts.warn)


def _problem(number: int, is_array: bool, message: str, column: str | None = None) -> TableProblem:
    place, line = ("Row", None) if is_array else ("Line", number)
    return TableProblem(f"{place} {number:,}: {message}.", line=line, column=column)


def _first_byte(file: BinaryIO) -> bytes:
    while chunk := file.read(1 << 16):
        if bare := chunk.lstrip():
            return bare[:1]
    raise TableProblem("The file is empty.", line=1)


def _parsed(text: bytes) -> Any:
    try:
        return _DECODER.decode(text.decode())
    except UnicodeDecodeError as error:
        raise _BadLine(f"not UTF-8 (byte {error.start + 1:,})") from None
    except json.JSONDecodeError as error:
        raise _BadLine(f"no JSON ({error.msg} at character {error.pos + 1:,})") from None
    except _BadLine:
        raise
    except ValueError:
        raise _BadLine("a number has too many digits") from None
    except RecursionError:
        raise _BadLine("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _BadLine(f"the name {twice!a} stands twice")
    return made


def _constant(name: str) -> Any:
    raise _BadLine(f"{name} is no JSON; write null for missing")


# One for all lines: making it takes as long as reading a line.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _BadLine("no object; write {...} with a value for each column")
    return item
