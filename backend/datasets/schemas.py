"""What the datasets routes take and answer."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from backend.core.schemas import (
    ColumnName,
    Description,
    Id,
    Name,
    Schema,
    StorableText,
    Timestamp,
)
from backend.science.recipes.steps import Steps

Origin = Literal["upload", "inline", "recipe"]
DownloadFormat = Literal["original", "csv", "parquet"]
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
    created_at: Timestamp
    # The steps that made it from its parent, where a recipe did.
    recipe: list[dict[str, Any]] | None = None
    parent_version: int | None = None


class RecipeRequest(Schema):
    """Cleaning steps, applied in this order."""

    steps: Steps


class StepOut(Schema):
    """The table before and after one step."""

    kind: str
    rows_before: int
    rows_after: int
    columns_before: int
    columns_after: int
    missing_before: int
    missing_after: int


class RecipeOut(Schema):
    """What each step did, and the version that was made; none by a dry run."""

    steps: list[StepOut]
    rows: int
    columns: int
    version: VersionOut | None


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
