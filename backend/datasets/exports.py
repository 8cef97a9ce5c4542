"""A stored table as CSV, a part at a time. Loaded with the first one: it needs polars."""

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backend.science.csv_export import injection_safe

ROWS_AT_ONCE: Final = 50_000
# About what one part takes; a row that is larger still is one part.
PART_BYTES: Final = 8_000_000
NUMBER_BYTES: Final = 16
READ_BUFFER_BYTES: Final = 1 << 18
# ISO 8601; fractions of a second only where there are some.
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.f"


def csv_parts(file: BinaryIO) -> Iterator[bytes]:
    """The table of a Parquet file as CSV; of images their labels and names."""
    # Outside the generator, so that a damaged file is noticed before the answer starts.
    parquet = open_table(file)
    columns = [field.name for field in parquet.schema_arrow if not is_binary(field.type)]
    return _parts(file, parquet, columns)


def open_table(file: BinaryIO) -> pq.ParquetFile:
    """To be read a part at a time; text that the file holds once takes its room once."""
    repeated = _repeated_texts(pq.ParquetFile(file))
    file.seek(0)
    return pq.ParquetFile(
        file, read_dictionary=repeated, pre_buffer=False, buffer_size=READ_BUFFER_BYTES
    )


def is_binary(kind: pa.DataType) -> bool:
    """Whether it holds bytes, as those of images."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether it holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _repeated_texts(parquet: pq.ParquetFile) -> list[str]:
    """Text that the file holds once for all its rows; read so, it takes its room once."""
    metadata, schema = parquet.metadata, parquet.schema_arrow
    texts = [number for number, field in enumerate(schema) if is_text(field.type)]
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        schema.names[number]
        for number in texts
        if any(group.column(number).has_dictionary_page for group in groups)
    ]


def _parts(file: BinaryIO, parquet: pq.ParquetFile, columns: list[str]) -> Iterator[bytes]:
    include_header = True
    with file, parquet:
        for batch in parquet.iter_batches(batch_size=rows_at_once(parquet), columns=columns):
            for start, length in _slices(batch):
                yield _csv(batch.slice(start, length), include_header)
                include_header = False
        if include_header:
            nothing = pa.RecordBatch.from_pylist([], parquet.schema_arrow)
            yield _csv(nothing.select(columns), include_header)


def rows_at_once(parquet: pq.ParquetFile) -> int:
    """As many rows as a batch may hold by what the file says of its size."""
    metadata = parquet.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0.0)
    widest = max(widest, NUMBER_BYTES * len(parquet.schema_arrow))
    return int(min(max(PART_BYTES / widest, 1), ROWS_AT_ONCE))


def _slices(batch: pa.RecordBatch) -> Iterator[tuple[int, int]]:
    """Start and length of the parts of a batch, by what their text takes once it is written out."""
    taken = np.full(batch.num_rows, NUMBER_BYTES * batch.num_columns, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and len(column.dictionary):
            lengths = pc.binary_length(column.dictionary).to_numpy(zero_copy_only=False)
            taken += lengths[column.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    total = np.cumsum(taken)
    start = 0
    while start < batch.num_rows:
        written = total[start - 1] if start else 0
        end = int(np.searchsorted(total, written + PART_BYTES, side="right"))
        end = max(end, start + 1)
        yield start, end - start
        start = end


def _csv(batch: pa.RecordBatch, include_header: bool) -> bytes:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    frame = pl.DataFrame(dict(zip(batch.schema.names, map(pl.Series, columns), strict=True)))
    sink = io.BytesIO()
    safe = injection_safe(frame)
    safe.write_csv(sink, include_header=include_header, datetime_format=TIME_FORMAT)
    return sink.getvalue()
