"""What the datasets routes take and answer."""

import codecs
import io
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from backend.core.schemas import (
    ColumnName,
    Description,
    Id,
    Name,
    Schema,
    StorableText,
    Timestamp,
    VersionNumber,
)

Origin = Literal["upload", "inline", "recipe"]
DownloadFormat = Literal["original", "csv", "parquet"]
DatasetKind = Literal["table", "image"]
ProfileState = Literal["queued", "running", "ready", "failed"]
FileFormat = Literal["csv", "json_lines", "parquet", "arrow", "excel", "json", "images"]


class DatasetOut(Schema):
    """A dataset with the shape of its latest version."""

    passing = frozenset({"fits", "profile_state"})

    id: int
    name: str
    description: str
    project_id: int
    kind: DatasetKind
    latest_version: int
    rows: int
    columns: int
    bytes: int
    content_digest: str
    warnings: list[str]
    # Fits of its versions that the caller may see.
    fits: int
    profile_state: ProfileState
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    trashed_at: Timestamp | None


class DatasetCreate(Schema):
    """The fields that come along with an uploaded file."""

    name: Name | None = None
    project_id: Id | None = None
    description: Description = ""


class SampleCreate(Schema):
    """Where the sample goes; null: the caller's own project."""

    project_id: Id | None = None


class ReadOptions(Schema):
    """What the sender knows better than the file shows; everything else is found out."""

    format: FileFormat | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: Annotated[StorableText, Field(min_length=1, max_length=40)] | None = None
    # The name of an Excel sheet.
    sheet: Annotated[StorableText, Field(min_length=1, max_length=100)] | None = None

    @field_validator("delimiter")
    @classmethod
    def _delimits(cls, delimiter: str | None) -> str | None:
        if delimiter is None:
            return None
        if delimiter.isalnum() or delimiter in "\"'\r\n\0\ufeff" or not delimiter.isascii():
            raise ValueError("a delimiter is one ASCII character, no letter, digit or quote")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _is_of_text(cls, encoding: str | None) -> str | None:
        if encoding is None:
            return None
        try:
            known = codecs.lookup(encoding)
            # Refuses the codecs of bytes, like base64.
            io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        except (LookupError, ValueError):
            raise ValueError("this encoding is not known; utf-8 and windows-1252 are") from None
        return known.name


class SourceOut(Schema):
    """How an upload was read."""

    format: FileFormat
    compression: Literal["gzip", "zstd"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    # All sheets of the workbook.
    sheets: list[str] | None = None


class DoubtOut(Schema):
    """What a column seems to be and is not quite, and the recipe step that would mend it."""

    column: str
    message: str
    values: int
    examples: list[str]
    step: dict[str, Any] | None


class VersionRef(Schema):
    """A version of some dataset."""

    dataset_id: Id
    version: VersionNumber


class InlineTable(Schema):
    """A table in the body: `columns`, or `X` and `y` as scikit-learn takes them."""

    name: Name | None = None
    project_id: Id | None = None
    description: Description = ""
    columns: dict[ColumnName, list[Any]] | None = Field(None, min_length=1)
    X: list[Any] | None = Field(None, min_length=1, description="Rows, or one number per row")
    y: list[Any] | None = Field(None, min_length=1)
    feature_names: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    target_name: ColumnName = "y"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.columns is not None:
            beside = {"X", "y", "feature_names", "target_name"} & self.model_fields_set
            if beside:
                raise ValueError(f"`columns` goes without {', '.join(sorted(beside))}")
        elif self.X is None or self.y is None:
            raise ValueError("send `columns`, or `X` and `y`")
        return self


class DatasetUpdate(Schema):
    """What may be changed; a field left out stays."""

    name: Name | None = None
    description: Description | None = None
    # The caller must own both projects; null and the present one: it stays.
    project_id: Id | None = None


class VersionOut(Schema):
    """One immutable version."""

    version: int
    sha256: str
    content_digest: str
    rows: int
    columns: int
    bytes: int
    file_name: str
    origin: Origin
    warnings: list[str]
    created_by: str
    created_at: Timestamp
    doubts: list[DoubtOut] = Field(default_factory=list)
    source: SourceOut | None = None
    profile_state: ProfileState = "ready"
    # The steps that made it from its parent, where a recipe did.
    recipe: list[dict[str, Any]] | None = None
    parent_version: int | None = None
    # The version whose recipe was applied again.
    replay_of: int | None = None
    # What its recipe joined.
    inputs: list[VersionRef] = Field(default_factory=list)


class PreviewOut(Schema):
    """The first rows of a version; `is_cut` where long texts, or rows too large, are left out."""

    columns: list[str]
    rows: list[list[int | float | bool | str | None]]
    total_rows: int
    is_cut: bool = False


class ImageOut(Schema):
    """One image; `row` counts from 0, in the order of the labels."""

    row: int
    label: str
    name: str


class ImageList(Schema):
    """The first images of a version."""

    items: list[ImageOut]
    total: int


class DatasetFilter(Schema):
    """Which datasets a list is about."""

    project_id: Id | None = None
    name_contains: StorableText | None = None
    mine: bool = False
    kind: DatasetKind | None = None
    # The user name of who made it.
    created_by: StorableText | None = None


@dataclass(frozen=True, slots=True)
class TypedUpload:
    """A checked table or archive with its typed form."""

    file_name: str
    bytes: int
    sha256: str
    parquet_sha256: str
    content_digest: str
    rows: int
    columns: list[dict[str, Any]]
    column_count: int
    suggested_target: dict[str, Any] | None
    warnings: list[str]
    kind: DatasetKind = "table"
    origin: Origin = "upload"
    recipe: list[dict[str, Any]] | None = None
    parent_version: int | None = None
    replay_of: int | None = None
    inputs: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[dict[str, Any]] = field(default_factory=list)
    source: dict[str, Any] | None = None
    # Key of the profile where the table was small enough to have it at once.
    profile_sha256: str | None = None
