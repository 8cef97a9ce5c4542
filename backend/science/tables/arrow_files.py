"""Parquet and Arrow files to typed Parquet: bounded by the footer first, then read batch by batch.

What a file tells about itself may be wrong on purpose: sizes are counted while rows are read, and
whoever calls this bounds the memory of the process.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backend.science.tables.arrow_types import canonical, find_unreadable, is_text
from backend.science.tables.parts import TableParts, check_names, check_values, no_rows
from backend.science.tables.table_file import (
    Format,
    ReadLimits,
    ReadOptions,
    Report,
    TableFile,
    TableSource,
    silent,
)
from backend.science.text_check import TableProblem

PARQUET_MAGIC: Final = b"PAR1"
ENCRYPTED_MAGIC: Final = b"PARE"
ARROW_MAGIC: Final = b"ARROW1"
FEATHER_1_MAGIC: Final = b"FEA1"
TAIL: Final = struct.Struct("<I4s")
MOST_FOOTER_BYTES: Final = 32_000_000
MOST_ROW_GROUPS: Final = 100_000
THRIFT_STRING_BYTES: Final = 10_000_000
THRIFT_ITEMS: Final = 1_000_000
# Files of this size need not prove that they are no bombs.
RATIO_COUNTS_FROM: Final = 100_000_000
BATCH_VALUES: Final = 2_000_000
BATCH_ROWS: Final = (256, 65_536)
BATCH_BYTES: Final = 64_000_000
PANDAS_INDEX: Final = "__index_level_"
Batches = Iterator[pa.RecordBatch]


def read_parquet(
    path: Path,
    options: ReadOptions,  # noqa: ARG001  # a Parquet file says all that there is to say
    limits: ReadLimits,
    target: Path,
    report: Report = silent,
) -> TableFile:
    """Read a Parquet file.

    Parameters
    ----------
    path
        The file.
    options
        Not needed.
    limits
        Bounds on columns, texts and the whole.
    target
        The typed file to write.
    report
        Told what is done.

    Raises
    ------
    TableProblem
        Damaged, encrypted, too large, without rows, or columns that hold no plain values.
    """
    _check_footer(path)
    with _damage_named("Parquet"), pq.ParquetFile(path, **_THRIFT) as file:
        metadata, schema = file.metadata, file.schema_arrow
    _check_size(metadata, path.stat().st_size, limits)
    # A text that stands in a million rows is in the file once, and in memory as well.
    texts = [column.name for column in schema if is_text(column.type)]
    with ExitStack() as stack:
        with _damage_named("Parquet"):
            file = pq.ParquetFile(
                path, read_dictionary=texts, pre_buffer=False, buffer_size=1 << 20, **_THRIFT
            )
        stack.enter_context(file)
        batches = file.iter_batches(_batch_rows(len(schema)), use_threads=False)
        table = _Reading("parquet", schema, limits, report)
        rows = max(1, metadata.num_rows)
        return table.write(batches, target, lambda read: read / rows)


_THRIFT: Final = {
    "thrift_string_size_limit": THRIFT_STRING_BYTES,
    "thrift_container_size_limit": THRIFT_ITEMS,
}


def read_arrow(
    path: Path,
    options: ReadOptions,  # noqa: ARG001  # an Arrow file says all that there is to say
    limits: ReadLimits,
    target: Path,
    report: Report = silent,
) -> TableFile:
    """Read an Arrow IPC file (Feather version 2) or stream.

    Parameters
    ----------
    path, options, limits, target, report
        As for `read_parquet`.

    Raises
    ------
    TableProblem
        As for `read_parquet`; Feather version 1.
    """
    with path.open("rb") as file:
        magic = file.read(len(ARROW_MAGIC))
    if magic.startswith(FEATHER_1_MAGIC):
        raise TableProblem("This is Feather version 1. Write the table as Feather version 2.")
    size = path.stat().st_size
    with pa.OSFile(str(path)) as source:
        with _damage_named("Arrow"):
            reader, batches = _open_arrow(source, is_file=magic == ARROW_MAGIC)
        table = _Reading("arrow", reader.schema, limits, report)
        return table.write(batches, target, lambda _read: source.tell() / size)


def _open_arrow(
    source: pa.NativeFile, *, is_file: bool
) -> tuple[pa.RecordBatchFileReader | pa.RecordBatchStreamReader, Batches]:
    if not is_file:
        stream = pa.ipc.open_stream(source)
        return stream, iter(stream)
    file = pa.ipc.open_file(source)
    return file, (file.get_batch(number) for number in range(file.num_record_batches))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Batches of a schema on their way to typed Parquet."""

    format: Format
    schema: pa.Schema
    limits: ReadLimits
    report: Report

    def write(self, batches: Batches, target: Path, share: Callable[[int], float]) -> TableFile:
        """`share` tells from the rows read so far how much of the file that is."""
        with _damage_named(self.format.capitalize()):
            raw = self.schema.names
        kept = [name for name in raw if not name.startswith(PANDAS_INDEX)]
        names = dict(zip(kept, check_names(kept, self.limits), strict=True))
        if unreadable := find_unreadable(self.schema):
            raise TableProblem(
                "Only numbers, text, booleans, dates and times can be read, not "
                f"{', '.join(unreadable)}. Leave these columns out, or flatten them."
            )
        with TableParts(target.parent, self.limits) as parts:
            for name in raw:
                if name not in names:
                    parts.warn(f"{name}: the row labels of pandas were left out")
            for batch in self._pieces(batches):
                columns = {
                    kept_as: canonical(kept_as, batch.column(name), parts.warn)
                    for name, kept_as in names.items()
                }
                parts.add(columns, batch.num_rows)
                self.report(min(0.5, 0.5 * share(parts.rows)), "Reading")
            return parts.write(target, TableSource(self.format), self.report)

    def _pieces(self, batches: Batches) -> Batches:
        """Valid batches that are small in memory, however few bytes they take in the file."""
        rows = 0
        for batch in self._valid(batches):
            rows += batch.num_rows
            check_values(rows, len(self.schema), self.limits)
            step = _batch_rows(len(self.schema))
            for start in range(0, batch.num_rows, step):
                yield from _halves(batch.slice(start, step))

    def _valid(self, batches: Batches) -> Batches:
        while True:
            with _damage_named(self.format.capitalize()):
                batch = next(batches, None)
                if batch is None:
                    return
                batch.validate(full=True)
            yield batch


def _halves(batch: pa.RecordBatch) -> Batches:
    if batch.num_rows < 2 or sum(map(_bytes, batch.columns)) <= BATCH_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halves(batch.slice(0, middle))
    yield from _halves(batch.slice(middle))


def _bytes(values: pa.Array) -> int:
    """In memory, categories written out."""
    if not isinstance(values, pa.DictionaryArray) or not is_text(values.type):
        return int(values.nbytes)
    lengths = pc.binary_length(values.dictionary.cast(pa.large_string()))
    return int(pc.sum(lengths.take(values.indices)).as_py() or 0)


def _batch_rows(columns: int) -> int:
    least, most = BATCH_ROWS
    return min(most, max(least, BATCH_VALUES // max(1, columns)))


def _check_footer(path: Path) -> None:
    """The end of a Parquet file, before anything is read that it points at."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(PARQUET_MAGIC))
        file.seek(max(0, size - TAIL.size))
        tail = file.read()
    if start == ENCRYPTED_MAGIC or tail.endswith(ENCRYPTED_MAGIC):
        raise TableProblem("The Parquet file is encrypted. Write it without encryption.")
    if len(tail) < TAIL.size or start != PARQUET_MAGIC or not tail.endswith(PARQUET_MAGIC):
        raise TableProblem("The Parquet file is damaged: its end is missing.")
    footer, _ = TAIL.unpack(tail)
    if footer > size - TAIL.size - len(PARQUET_MAGIC):
        raise TableProblem("The Parquet file is damaged: its footer is longer than the file.")
    if footer > MOST_FOOTER_BYTES:
        raise TableProblem(
            f"The footer of the Parquet file has {footer:,} bytes, at most {MOST_FOOTER_BYTES:,}."
        )


def _check_size(metadata: pq.FileMetaData, file_bytes: int, limits: ReadLimits) -> None:
    """What the footer tells; it is told again by the rows themselves."""
    if metadata.num_columns > limits.max_columns:
        raise TableProblem(f"{metadata.num_columns:,} columns, at most {limits.max_columns:,}.")
    if metadata.num_row_groups > MOST_ROW_GROUPS:
        raise TableProblem(f"{metadata.num_row_groups:,} row groups, at most {MOST_ROW_GROUPS:,}.")
    if metadata.num_rows <= 0:
        raise no_rows()
    check_values(metadata.num_rows, metadata.num_columns, limits)
    with _damage_named("Parquet"):
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        inflated = sum(group.total_byte_size for group in groups)
    if inflated > limits.max_inflated_bytes:
        raise TableProblem(
            f"The file holds {inflated:,} bytes, at most {limits.max_inflated_bytes:,}."
        )
    if inflated > max(RATIO_COUNTS_FROM, limits.max_ratio * file_bytes):
        raise TableProblem(f"The file is more than {limits.max_ratio} times its compressed size.")


@contextmanager
def _damage_named(format_name: str) -> Iterator[None]:
    """Whatever the reader says of a file that somebody damaged, as one problem."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, OverflowError) as error:
        if "encrypt" in str(error).lower():
            raise TableProblem(
                f"The {format_name} file is encrypted. Write it without encryption."
            ) from None
        raise TableProblem(
            f"The {format_name} file is damaged, or needs too much memory."
        ) from None
