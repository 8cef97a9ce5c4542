"""The first rows and images of a version, to be looked at. Loaded with the first one."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from backend.datasets.schemas import ImageList, ImageOut, PreviewOut
from backend.science.images.image_table import list_images, read_image
from backend.science.images.pixels import encode_png
from backend.storage.blobs import BlobStore


def read_preview(blobs: BlobStore, parquet_sha256: str, total_rows: int, limit: int) -> PreviewOut:
    """The first rows, in what JSON can hold; of images their labels and names."""
    with blobs.open(parquet_sha256) as file, pq.ParquetFile(file) as parquet:
        schema = parquet.schema_arrow
        names = [field.name for field in schema if not pa.types.is_binary(field.type)]
        # Reads the first row groups only, and of those no bytes of images.
        batches = parquet.iter_batches(limit, columns=names, use_threads=False)
        first = next(batches, None)
    frame = pl.DataFrame(schema.empty_table().select(names) if first is None else first)
    temporal = pl.selectors.temporal()
    frame = frame.with_columns(temporal.cast(pl.String))
    finite = pl.selectors.float()
    frame = frame.with_columns(pl.when(finite.is_finite()).then(finite))
    return PreviewOut(
        columns=frame.columns, rows=list(map(list, frame.rows())), total_rows=total_rows
    )


def list_of_images(blobs: BlobStore, parquet_sha256: str, total_rows: int, limit: int) -> ImageList:
    """Labels and names of the first images."""
    with blobs.open(parquet_sha256) as file:
        found = list_images(file, limit)
    items = [ImageOut(row=row, label=label, name=name) for row, (name, label) in enumerate(found)]
    return ImageList(items=items, total=total_rows)


def png_of_image(blobs: BlobStore, parquet_sha256: str, row: int) -> bytes:
    """One image as a PNG file."""
    with blobs.open(parquet_sha256) as file:
        return encode_png(read_image(file, row))
