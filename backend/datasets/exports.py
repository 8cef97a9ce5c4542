"""A stored table as CSV, a part at a time. Loaded with the first one: it needs polars."""

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

import polars as pl
import pyarrow.parquet as pq

from backend.science.csv_export import injection_safe

ROWS_AT_ONCE: Final = 20_000
# ISO 8601; fractions of a second only where there are some.
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.f"


def csv_parts(file: BinaryIO) -> Iterator[bytes]:
    """The table of a Parquet file as CSV; of images their labels and names."""
    parquet = pq.ParquetFile(file)
    columns = [
        field.name for field in parquet.schema_arrow if not str(field.type).endswith("binary")
    ]
    # Outside the generator, so that a damaged file is noticed before the answer starts.
    return _parts(file, parquet, columns)


def _parts(file: BinaryIO, parquet: pq.ParquetFile, columns: list[str]) -> Iterator[bytes]:
    with file, parquet:
        include_header = True
        for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns):
            frame = pl.DataFrame(batch)
            sink = io.BytesIO()
            injection_safe(frame).write_csv(
                sink, include_header=include_header, datetime_format=TIME_FORMAT
            )
            include_header = False
            yield sink.getvalue()
