"""What is in a dataset's files: typed, described and, where small, profiled.

Loaded by the processes that work on tables: its libraries take 70 MB that the API need not hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from backend.core.errors import FieldProblem, Unprocessable
from backend.datasets.files import parquet_path, profile_path
from backend.datasets.inline import cell_place, columns_of, parse_inline, target_of
from backend.datasets.intake import Upload, display_name, unprocessable
from backend.datasets.profiling import small_profile
from backend.datasets.schemas import DatasetCreate, Origin, ReadOptions, TypedUpload
from backend.science.column_types import ColumnDescription, ColumnRole, TargetGuess
from backend.science.columns import describe_table, guess_target
from backend.science.images.archive import ArchiveLimits, open_archive
from backend.science.images.image_table import shape_in, write_images
from backend.science.images.problem import ImageProblem
from backend.science.inline_table import CellProblems, write_inline
from backend.science.tables.read import read_table
from backend.science.tables.sniff import EMPTY_ZIP, ZIP, is_workbook
from backend.science.tables.table_file import ReadLimits, TableFile
from backend.science.tables.table_file import ReadOptions as TableOptions
from backend.science.text_check import TableProblem
from backend.settings import UploadSettings
from backend.storage.blobs import digest_of

# Cells of a table whose profile is worth waiting for.
MOST_CELLS_AT_ONCE: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a version was made from, where it was not sent."""

    recipe: list[dict[str, Any]] | None = None
    parent_version: int | None = None
    replay_of: int | None = None
    inputs: list[dict[str, Any]] = field(default_factory=list)


def read_upload(upload: Upload, options: ReadOptions, limits: UploadSettings) -> TypedUpload:
    """Type a received file into its folder.

    Raises
    ------
    Unprocessable
        Names the line and the column, or the entry of the archive.
    """
    if options.format == "images" or (options.format is None and _holds_images(upload.path)):
        return _read_images(upload, limits)
    asked = TableOptions(**options.model_dump())
    try:
        table = read_table(upload.path, asked, _limits(limits), parquet_path(upload.folder))
    except TableProblem as problem:
        raise unprocessable(problem) from None
    return keep_table(table, file_name=upload.file_name, bytes=upload.bytes, sha256=upload.sha256)


def _holds_images(path: Path) -> bool:
    """Whether it is an archive and no workbook; those are archives as well."""
    with path.open("rb") as file:
        is_archive = file.read(len(ZIP)).startswith((ZIP, EMPTY_ZIP))
    return is_archive and not is_workbook(path)


def _limits(limits: UploadSettings) -> ReadLimits:
    return ReadLimits(limits.max_columns, limits.max_cell_bytes, limits.max_inflated_bytes)


def read_inline(upload: Upload, limits: UploadSettings) -> tuple[DatasetCreate, TypedUpload]:
    """Type a table that came as JSON.

    Raises
    ------
    MalformedUpload, Unprocessable
        Names every value and every column that is not as it should be.
    """
    inline = parse_inline(upload)
    columns = columns_of(inline, limits.max_columns)
    try:
        table = write_inline(columns, _limits(limits), parquet_path(upload.folder))
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
    typed = keep_table(
        table,
        file_name=display_name(f"{inline.name or 'table'}.json"),
        bytes=upload.bytes,
        sha256=upload.sha256,
        origin="inline",
        target=target_of(inline),
    )
    data = DatasetCreate(
        name=inline.name, project_id=inline.project_id, description=inline.description
    )
    return data, typed


def keep_table(
    table: TableFile,
    *,
    file_name: str,
    bytes: int | None = None,  # the version's field
    sha256: str | None = None,
    origin: Origin = "upload",
    target: str | None = None,
    given_roles: Mapping[str, ColumnRole] | None = None,
    lineage: Lineage | None = None,
) -> TypedUpload:
    """What a version says about a typed table, whose Parquet file stays where it is.

    A table of few cells is profiled at once, into a file beside it. Where nothing was sent, as by
    a recipe, the Parquet file's own bytes and sha256 count.
    """
    parquet_sha256 = digest_of(table.path)
    columns = describe_table(table.path, given_roles or {})
    guess = guess_target(columns) if target is None else TargetGuess(target, "sent as the target")
    lineage = lineage or Lineage()
    return TypedUpload(
        file_name=file_name,
        bytes=table.path.stat().st_size if bytes is None else bytes,
        sha256=sha256 or parquet_sha256,
        parquet_sha256=parquet_sha256,
        content_digest=table.content_digest,
        rows=table.rows,
        columns=[asdict(column) for column in columns],
        column_count=len(columns),
        suggested_target=None if guess is None else asdict(guess),
        warnings=list(dict.fromkeys([*(doubt.message for doubt in table.doubts), *table.warnings])),
        origin=origin,
        recipe=lineage.recipe,
        parent_version=lineage.parent_version,
        replay_of=lineage.replay_of,
        inputs=lineage.inputs,
        doubts=[asdict(doubt) for doubt in table.doubts],
        source=None if table.source is None else asdict(table.source),
        profile_sha256=_profile(table, columns),
    )


def _profile(table: TableFile, columns: Sequence[ColumnDescription]) -> str | None:
    """Key of the profile of a table that is small enough to wait for it."""
    if table.rows * len(columns) > MOST_CELLS_AT_ONCE:
        return None
    path = profile_path(table.path.parent)
    path.write_bytes(small_profile(table.path, columns))
    return digest_of(path)


def _read_images(upload: Upload, limits: UploadSettings) -> TypedUpload:
    bounds = ArchiveLimits(max_images=limits.max_images, max_bytes=limits.max_archive_bytes)
    target = parquet_path(upload.folder)
    try:
        with open_archive(upload.path, bounds) as archive:
            images = write_images(archive, target, limits.max_archive_bytes)
    except ImageProblem as problem:
        raise unprocessable(problem) from None
    return TypedUpload(
        file_name=upload.file_name,
        bytes=upload.bytes,
        sha256=upload.sha256,
        parquet_sha256=digest_of(target),
        content_digest=images.content_digest,
        rows=images.rows,
        columns=[asdict(column) for column in images.columns],
        column_count=len(images.columns),
        suggested_target=None if images.target is None else asdict(images.target),
        warnings=images.warnings,
        kind="image",
    )


def image_size(folder: Path) -> dict[str, int]:
    """Width, height and channels of the images of a typed upload."""
    return asdict(shape_in(pq.read_schema(parquet_path(folder))))
