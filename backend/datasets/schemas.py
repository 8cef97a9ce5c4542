"""What the datasets routes take and answer."""

from dataclasses import dataclass
from typing import Any, Literal

from backend.core.schemas import Description, Id, Name, Schema, StorableText, Timestamp

DatasetKind = Literal["table", "image"]
ColumnType = Literal["number", "integer", "boolean", "string", "date", "datetime", "image"]
ColumnRole = Literal[
    "numeric", "categorical", "boolean", "datetime", "text", "id", "constant", "image"
]


class DatasetOut(Schema):
    """A dataset with the shape of its latest version."""

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
    created_by: str
    created_at: Timestamp


class DatasetCreate(Schema):
    """The fields that come along with an uploaded file."""

    name: Name | None = None
    project_id: Id | None = None
    description: Description = ""


class DatasetUpdate(Schema):
    """What may be changed; a field left out stays."""

    name: Name | None = None
    description: Description | None = None


class VersionOut(Schema):
    """One immutable version."""

    version: int
    sha256: str
    content_digest: str
    rows: int
    columns: int
    bytes: int
    file_name: str
    origin: Literal["upload"]
    warnings: list[str]
    created_at: Timestamp


class ColumnOut(Schema):
    """One column: its type, its role in a fit, and why it would be left out."""

    name: str
    type: ColumnType
    role: ColumnRole
    nulls: int
    distinct: int
    left_out_because: str | None


class SuggestedTarget(Schema):
    """The column that a fit most likely predicts, and why it was picked."""

    column: str
    reason: str


class ProfileOut(Schema):
    """What is known about the columns of a version."""

    rows: int
    columns: list[ColumnOut]
    suggested_target: SuggestedTarget | None
    warnings: list[str]


class PreviewOut(Schema):
    """The first rows of a version."""

    columns: list[str]
    rows: list[list[int | float | bool | str | None]]
    total_rows: int


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


@dataclass(frozen=True, slots=True)
class TypedUpload:
    """A checked file with its typed form, both stored already."""

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
