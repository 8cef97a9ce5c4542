"""Regular delimited text to a typed table, in memory for a few blocks of it.

Types are guessed from the first rows, and each block is parsed straight into them. A value that
does not go with its column's type makes the column be looked at from the first row to the last;
then writing begins anew. So the outcome is that of looking at all values, at the price of a guess.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NoReturn

import polars as pl

from backend.science.tables.blocks import BLOCK_BYTES, Block, Irregular, Shape, blocks, examine
from backend.science.tables.inference import (
    DTYPES,
    NULL_TEXTS,
    NUMERIC,
    Candidates,
    Kind,
    column_warnings,
    convert_all,
    narrow,
)
from backend.science.tables.records import Header
from backend.science.tables.table_file import Report, silent
from backend.science.tables.writing import Written, write_frames

SAMPLE_BYTES: Final = 1 << 20
SAMPLE_ROWS: Final = 5_000
SAMPLE_CELLS: Final = 200_000
AT_ONCE: Final = 2
# What polars parses as we do; the others are converted from text.
DIRECT: Final = frozenset[Kind]({"boolean", "integer", "number", "text"})
BLAMED: Final = re.compile(r"\(column number (\d+)\)")


class TypesChanged(Exception):
    """Columns, by position, hold values that do not go with their types."""

    def __init__(self, columns: Collection[int]) -> None:
        super().__init__(columns)
        self.columns = set(columns)


class RegularText:
    """A file of regular delimited text, see `blocks`.

    Parameters
    ----------
    path, header, shape
        The file, what its first record says, and the shape of all others.
    report
        Told how far the reading has come.
    block_bytes
        What is parsed at a time.
    sample_rows
        What the types are guessed from.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        shape: Shape,
        *,
        report: Report = silent,
        block_bytes: int = BLOCK_BYTES,
        sample_rows: int = SAMPLE_ROWS,
    ) -> None:
        self._path = path
        self._header = header
        self._shape = shape
        self._report = report
        self._block_bytes = block_bytes
        self._sample_rows = sample_rows
        self._bytes = path.stat().st_size
        self._found = [Candidates()] * shape.fields
        # Columns whose every value was looked at.
        self._certain: set[int] = set()
        # Columns that polars cannot parse itself, although their type is right.
        self._through_text: set[int] = set()
        self._lock = threading.Lock()

    def write(self, target: Path) -> tuple[Written, list[str]]:
        """Write the typed table; returns what was written and what is to be said about types.

        Raises
        ------
        Irregular
            The text needs the exact reader.
        """
        self._guess()
        while True:
            try:
                written = write_frames(self._schema(), self._frames(), target)
            except TypesChanged as changed:
                self._survey(changed.columns if not self._certain else range(self._shape.fields))
            else:
                return written, column_warnings(zip(self._header.names, self._found, strict=True))

    def _schema(self) -> pl.Schema:
        kinds = (DTYPES[each.kind] for each in self._found)
        return pl.Schema(zip(self._header.names, kinds, strict=True))

    def _guess(self) -> None:
        """Types of the first rows."""
        size = min(self._block_bytes, SAMPLE_BYTES)
        first = next(blocks(self._path, self._header.end, size), None)
        if first is None:
            raise Irregular
        examine(first.content, self._shape)
        rows = max(1, min(self._sample_rows, SAMPLE_CELLS // self._shape.fields))
        text = self._parse(first.content, ["text"] * self._shape.fields, rows)
        for position, series in enumerate(text.iter_columns()):
            self._found[position] = narrow(series, Candidates())
        large = [i for i, each in enumerate(self._found) if each.kind == "number" and each.whole]
        if large:
            # A warning depends on all of their values.
            self._survey(large)

    def _survey(self, columns: Collection[int]) -> None:
        """Look at all values of columns."""
        wanted = sorted(set(columns) - self._certain)
        found = dict.fromkeys(wanted, Candidates())

        def texts(block: Block) -> pl.DataFrame:
            """The wanted columns of a block as text."""
            return self._parse(block.content, ["text"] * self._shape.fields, columns=wanted)

        for frame in self._in_order(texts, "Looking at all values"):
            for position, series in zip(wanted, frame.iter_columns(), strict=True):
                found[position] = narrow(series, found[position])
        for position, candidates in found.items():
            self._found[position] = candidates
        self._certain.update(wanted)

    def _frames(self) -> Iterator[pl.DataFrame]:
        return self._in_order(self._typed, "Reading")

    def _in_order(
        self, work: Callable[[Block], pl.DataFrame], message: str
    ) -> Iterator[pl.DataFrame]:
        """Work on all blocks, a few at once; outcomes in the order of the file."""
        pending: deque[tuple[Block, Future[pl.DataFrame]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for block in blocks(self._path, self._header.end, self._block_bytes):
                    pending.append((block, pool.submit(work, block)))
                    if len(pending) > AT_ONCE:
                        yield self._next(pending, message)
                while pending:
                    yield self._next(pending, message)
            finally:
                for _, future in pending:
                    future.cancel()

    def _next(
        self, pending: deque[tuple[Block, Future[pl.DataFrame]]], message: str
    ) -> pl.DataFrame:
        block, future = pending.popleft()
        frame = future.result()
        self._report(block.end / self._bytes, message)
        return frame

    def _typed(self, block: Block) -> pl.DataFrame:
        """The block's rows as the columns' types.

        Raises
        ------
        TypesChanged
            Some values are of another type.
        Irregular
            The block is not regular.
        """
        facts = examine(block.content, self._shape)
        zeros = {i for i in facts.leading_zeros if self._found[i].kind in NUMERIC}
        frame, through_text = self._parse_typed(block.content, zeros)
        if frame.height != facts.rows:
            raise Irregular
        changed: list[int] = []
        columns: list[pl.Series] = []
        for position, parsed in enumerate(frame.iter_columns()):
            candidates, series = self._found[position], parsed
            if not candidates.seen:
                if series.null_count() < len(series) and position not in self._certain:
                    changed.append(position)
            elif position in through_text:
                fitting = convert_all(parsed, candidates.kind)
                if fitting is None:
                    changed.append(position)
                else:
                    series = fitting
            columns.append(series.alias(self._header.names[position]))
        if changed:
            raise TypesChanged(changed)
        return pl.DataFrame(columns)

    def _parse_typed(self, content: bytes, more: set[int]) -> tuple[pl.DataFrame, set[int]]:
        """Values as polars parses them, and which columns are still text."""
        through_text = {i for i, each in enumerate(self._found) if each.kind not in DIRECT}
        through_text |= more | self._through_text
        while True:
            kinds: list[Kind] = [
                "text" if i in through_text else each.kind for i, each in enumerate(self._found)
            ]
            try:
                return self._parse(content, kinds), through_text
            except _Unparsed as unparsed:
                through_text.add(unparsed.column)
                with self._lock:
                    self._through_text.add(unparsed.column)

    def _parse(
        self,
        content: bytes,
        kinds: Sequence[Kind],
        rows: int | None = None,
        columns: list[int] | None = None,
    ) -> pl.DataFrame:
        schema = {str(i): DTYPES[kind] for i, kind in enumerate(kinds)}
        try:
            return pl.read_csv(
                content,
                has_header=False,
                separator=self._shape.delimiter,
                schema=schema,
                columns=columns,
                null_values=list(NULL_TEXTS),
                n_rows=rows,
            )
        except pl.exceptions.PolarsError as error:
            _blame(error, kinds)


class _Unparsed(Exception):
    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


def _blame(error: pl.exceptions.PolarsError, kinds: Sequence[Kind]) -> NoReturn:
    """The column that polars could not parse; a text that it cannot parse is irregular."""
    found = BLAMED.search(str(error))
    if found is None or kinds[int(found[1]) - 1] == "text":
        raise Irregular from None
    raise _Unparsed(int(found[1]) - 1) from None
