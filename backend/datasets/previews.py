"""The first rows and images of a version, to be looked at. Loaded with the first one."""

from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backend.datasets.exports import NUMBER_BYTES, is_binary, is_text, open_table, rows_at_once
from backend.datasets.schemas import ImageList, ImageOut, PreviewOut
from backend.science.images.image_table import list_images, read_image
from backend.science.images.pixels import encode_png
from backend.storage.blobs import BlobStore

# Of a text that is longer its beginning is shown.
CELL_CHARACTERS: Final = 1_000
UTF8_BYTES: Final = 4
# About what an answer may take; fewer rows than asked for are shown where they would take more.
PREVIEW_BYTES: Final = 8_000_000


def preview_json(
    blobs: BlobStore, parquet_sha256: str, total_rows: int, limit: int, most_text: int | None = None
) -> bytes | None:
    """The first rows as a `PreviewOut`; None where more text than that would have to be read."""
    with blobs.open(parquet_sha256) as file:
        if most_text is not None and _text_bytes(file, limit) > most_text:
            return None
        file.seek(0)
        preview = _read_preview(file, total_rows, limit)
    return preview.model_dump_json().encode()


def large_preview_json(files_url: str, parquet_sha256: str, total_rows: int, limit: int) -> bytes:
    """The same in a process for tables, whatever it takes to read."""
    content = preview_json(BlobStore(files_url), parquet_sha256, total_rows, limit)
    assert content is not None  # noqa: S101  # there is no bound
    return content


def _text_bytes(file: BinaryIO, limit: int) -> int:
    """What the text takes in memory that is read for so many rows."""
    with pq.ParquetFile(file) as parquet:
        metadata, schema = parquet.metadata, parquet.schema_arrow
    texts = [number for number, field in enumerate(schema) if is_text(field.type)]
    taken = rows = 0
    for number in range(metadata.num_row_groups):
        if rows >= limit:
            break
        group = metadata.row_group(number)
        taken += sum(group.column(text).total_uncompressed_size for text in texts)
        rows += group.num_rows
    return taken


def _read_preview(file: BinaryIO, total_rows: int, limit: int) -> PreviewOut:
    """The first rows, in what JSON can hold; of images their labels and names."""
    parquet = open_table(file)
    names = [field.name for field in parquet.schema_arrow if not is_binary(field.type)]
    rows: list[list[Any]] = []
    room, cut = PREVIEW_BYTES, False
    with parquet:
        at_once = min(limit, rows_at_once(parquet))
        for batch in parquet.iter_batches(at_once, columns=names, use_threads=False):
            wanted = batch.slice(0, limit - len(rows))
            taken = np.cumsum(_row_bytes(wanted))
            fitting = int(np.searchsorted(taken, room, side="right"))
            # A single row is small enough, by the most columns and the longest texts.
            fitting = fitting if rows or fitting or not wanted.num_rows else 1
            shown, shortened = _shown(wanted.slice(0, fitting))
            rows += map(list, shown.rows())
            cut = cut or shortened or fitting < wanted.num_rows
            if fitting < wanted.num_rows or len(rows) >= limit:
                break
            room -= int(taken[-1])
    return PreviewOut(columns=names, rows=rows, total_rows=total_rows, is_cut=cut)


def _row_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """About what each row takes in the answer."""
    taken = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        taken += NUMBER_BYTES
        if pa.types.is_dictionary(column.type):
            lengths = _lengths(column.dictionary)
            if len(lengths):
                taken += lengths[column.indices.fill_null(0).to_numpy(zero_copy_only=False)]
        elif is_text(column.type):
            taken += _lengths(column)
    return taken


def _lengths(texts: pa.Array) -> npt.NDArray[np.int64]:
    longest = CELL_CHARACTERS * UTF8_BYTES
    lengths = pc.min_element_wise(pc.binary_length(texts).fill_null(0), longest)
    return np.asarray(lengths, dtype=np.int64)


def _shown(batch: pa.RecordBatch) -> tuple[pl.DataFrame, bool]:
    """The values as they are answered, and whether some of them are cut."""
    # One more than is shown: so it is seen which were longer.
    columns = [_beginnings(column, CELL_CHARACTERS + 1) for column in batch.columns]
    frame = pl.DataFrame(dict(zip(batch.schema.names, map(pl.Series, columns), strict=True)))
    text = pl.selectors.string()
    is_long = text.str.len_chars() > CELL_CHARACTERS
    long = frame.select(is_long.any())
    frame = frame.with_columns(
        pl.when(is_long).then(text.str.head(CELL_CHARACTERS) + "…").otherwise(text)
    )
    frame = frame.with_columns(pl.selectors.temporal().cast(pl.String))
    finite = pl.selectors.float()
    frame = frame.with_columns(pl.when(finite.is_finite()).then(finite))
    return frame, any(any(row) for row in long.rows())


def _beginnings(column: pa.Array, characters: int) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        # Before it is written out: a long text may stand in each row.
        texts = pc.utf8_slice_codeunits(column.dictionary, 0, characters)
        return pa.DictionaryArray.from_arrays(column.indices, texts).dictionary_decode()
    return pc.utf8_slice_codeunits(column, 0, characters) if is_text(column.type) else column


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
