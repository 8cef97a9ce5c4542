"""What is in a dataset's files: typed and stored at upload, read for previews.

Loaded with the first upload or preview: its libraries take 70 MB that an idle API need not hold.
"""

from dataclasses import asdict

import polars as pl

from backend.datasets.intake import Upload, unprocessable
from backend.datasets.schemas import PreviewOut, TypedUpload
from backend.science.columns import describe_columns, guess_target
from backend.science.csv_table import TableLimits, content_digest, read_csv
from backend.science.text_check import TableProblem
from backend.settings import UploadSettings
from backend.storage.blobs import BlobStore, digest_of


def type_upload(upload: Upload, limits: UploadSettings) -> TypedUpload:
    """Parse and type a received file; blocking, so it runs in a thread. Stores nothing."""
    shape = TableLimits(max_columns=limits.max_columns, max_cell_bytes=limits.max_cell_bytes)
    try:
        table = read_csv(upload.path, shape)
    except TableProblem as problem:
        raise unprocessable(problem) from None
    table.frame.write_parquet(upload.parquet_path, compression="zstd")
    columns = describe_columns(table.frame)
    target = guess_target(columns)
    return TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        parquet_sha256=digest_of(upload.parquet_path),
        content_digest=content_digest(table.frame),
        rows=table.frame.height,
        columns=[asdict(column) for column in columns],
        column_count=len(columns),
        suggested_target=None if target is None else asdict(target),
        warnings=table.warnings,
    )


def store_upload(upload: Upload, typed: TypedUpload, blobs: BlobStore) -> None:
    """Keep the original and its typed form; only once everything else was accepted."""
    blobs.put_file(upload.path, digest=typed.sha256)
    blobs.put_file(upload.parquet_path, digest=typed.parquet_sha256)


def read_preview(blobs: BlobStore, parquet_sha256: str, total_rows: int, limit: int) -> PreviewOut:
    """The first rows, in what JSON can hold."""
    with blobs.open(parquet_sha256) as file:
        frame = pl.read_parquet(file, n_rows=limit)
    temporal = pl.selectors.temporal()
    frame = frame.with_columns(temporal.cast(pl.String))
    finite = pl.selectors.float()
    frame = frame.with_columns(pl.when(finite.is_finite()).then(finite))
    return PreviewOut(
        columns=frame.columns, rows=list(map(list, frame.rows())), total_rows=total_rows
    )
