"""What is in a dataset's files: typed and stored at upload, read for previews.

Loaded with the first upload or preview: its libraries take 70 MB that an idle API need not hold.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from backend.core.errors import FieldProblem, Unprocessable
from backend.datasets.inline import cell_place, columns_of, target_of
from backend.datasets.intake import Upload, unprocessable
from backend.datasets.schemas import ImageList, ImageOut, InlineTable, PreviewOut, TypedUpload
from backend.science.column_types import TargetGuess
from backend.science.columns import describe_columns, guess_target
from backend.science.csv_table import (
    TableLimits,
    TypedTable,
    content_digest,
    find_doubts,
    read_csv,
)
from backend.science.images.archive import ArchiveLimits, open_archive
from backend.science.images.image_table import (
    list_images,
    read_image,
    shape_in,
    write_images,
)
from backend.science.images.pixels import encode_png
from backend.science.images.problem import ImageProblem
from backend.science.inline_table import CellProblems, table_of
from backend.science.text_check import TableProblem
from backend.settings import UploadSettings
from backend.storage.blobs import BlobStore, digest_of


def type_upload(upload: Upload, limits: UploadSettings) -> TypedUpload:
    """Parse and type a received file; blocking, so it runs in a thread. Stores nothing."""
    if upload.is_archive:
        return _type_images(upload, limits)
    shape = TableLimits(max_columns=limits.max_columns, max_cell_bytes=limits.max_cell_bytes)
    try:
        table = read_csv(upload.path, shape)
    except TableProblem as problem:
        raise unprocessable(problem) from None
    return TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        **_keep_table(table, upload.parquet_path),
    )


def image_size(upload: Upload) -> dict[str, int]:
    """Width, height and channels of the images of a typed upload."""
    return asdict(shape_in(pq.read_schema(upload.parquet_path)))


def _keep_table(table: TypedTable, path: Path, *, target: str | None = None) -> dict[str, Any]:
    """The table as a Parquet file, and what a version says about it."""
    table.frame.write_parquet(path, compression="zstd")
    columns = describe_columns(table.frame)
    guess = guess_target(columns) if target is None else TargetGuess(target, "sent as the target")
    return {
        "parquet_sha256": digest_of(path),
        "content_digest": content_digest(table.frame),
        "rows": table.frame.height,
        "columns": [asdict(column) for column in columns],
        "column_count": len(columns),
        "suggested_target": None if guess is None else asdict(guess),
        "warnings": table.warnings,
    }


def type_inline(upload: Upload, inline: InlineTable, limits: UploadSettings) -> TypedUpload:
    """Type a table that came as JSON; blocking, so it runs in a thread. Stores nothing."""
    columns = columns_of(inline, limits.max_columns)
    try:
        table = table_of(columns, limits.max_cell_bytes)
    except CellProblems as problems:
        errors = [
            FieldProblem(
                loc=cell_place(inline, list(columns), problem.column, problem.row),
                msg=str(problem),
                type="cell",
            )
            for problem in problems.problems
        ]
        raise Unprocessable(str(problems), errors=errors) from None
    return TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        origin="inline",
        **_keep_table(table, upload.parquet_path, target=target_of(inline)),
    )


def keep_cleaned(
    frame: pl.DataFrame,
    folder: Path,
    *,
    file_name: str,
    recipe: list[dict[str, Any]],
    parent_version: int,
) -> tuple[Upload, TypedUpload]:
    """A cleaned table as the file of a version; nothing was sent, so its Parquet file counts."""
    table = TypedTable(frame, find_doubts(frame), delimiter=",")
    upload = Upload(path=folder / "upload.parquet", file_name=f"{Path(file_name).stem}.parquet")
    described = _keep_table(table, upload.path)
    upload.sha256, upload.bytes = described["parquet_sha256"], upload.path.stat().st_size
    typed = TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        origin="recipe",
        recipe=recipe,
        parent_version=parent_version,
        **described,
    )
    return upload, typed


def _type_images(upload: Upload, limits: UploadSettings) -> TypedUpload:
    bounds = ArchiveLimits(max_images=limits.max_images, max_bytes=limits.max_archive_bytes)
    try:
        with open_archive(upload.path, bounds) as archive:
            images = write_images(archive, upload.parquet_path, limits.max_archive_bytes)
    except ImageProblem as problem:
        raise unprocessable(problem) from None
    return TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        parquet_sha256=digest_of(upload.parquet_path),
        content_digest=images.content_digest,
        rows=images.rows,
        columns=[asdict(column) for column in images.columns],
        column_count=len(images.columns),
        suggested_target=None if images.target is None else asdict(images.target),
        warnings=images.warnings,
        kind="image",
    )


def store_upload(upload: Upload, typed: TypedUpload, blobs: BlobStore) -> None:
    """Keep the original and its typed form; only once everything else was accepted."""
    blobs.put_file(upload.path, digest=typed.sha256)
    blobs.put_file(upload.parquet_path, digest=typed.parquet_sha256)


def read_preview(blobs: BlobStore, parquet_sha256: str, total_rows: int, limit: int) -> PreviewOut:
    """The first rows, in what JSON can hold; of images their labels and names."""
    with blobs.open(parquet_sha256) as file:
        frame = pl.scan_parquet(file).select(~pl.selectors.binary()).head(limit).collect()
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
