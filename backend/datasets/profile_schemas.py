"""What is known about the columns of a version, and how two versions differ."""

from typing import Literal

from pydantic import Field

from backend.core.schemas import Schema
from backend.datasets.schemas import DoubtOut, ProfileState
from backend.science.column_types import ColumnRole, ColumnType

WarningKind = Literal[
    "empty",
    "constant",
    "id_like",
    "missing",
    "skew",
    "outliers",
    "high_cardinality",
    "infinite",
    "leak",
    "imbalance",
]


class Histogram(Schema):
    """Counts between neighbouring edges; the last bin holds its upper edge. Times are ISO 8601."""

    edges: list[float] | list[str]
    counts: list[int]


class TopValue(Schema):
    """A frequent value."""

    value: int | float | bool | str
    count: int


class Association(Schema):
    """How strongly a column goes along with the chosen target, from 0 (or -1) to 1."""

    kind: Literal["pearson", "spearman", "correlation_ratio", "cramers_v"]
    value: float
    # Pairs of present values that it was computed from.
    pairs: int


class ColumnWarning(Schema):
    """What a person should know before a fit is wasted."""

    kind: WarningKind
    message: str


class ColumnOut(Schema):
    """One column: its type, its role in a fit, and why it would be left out.

    What takes a pass over the whole table is null until the profile is ready.
    """

    name: str
    type: ColumnType
    role: ColumnRole
    # Whether a person chose the role, with a recipe step.
    role_given: bool = False
    left_out_because: str | None
    nulls: int
    distinct: int | None
    # Of numbers as such, of dates as ISO 8601, of text by code point.
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = None
    # With n - 1 in the denominator.
    sd: float | None = None
    skewness: float | None = None
    infinite: int = 0
    zeros: int | None = None
    # By probability: 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99; linear interpolation.
    quantiles: dict[str, float | str] | None = None
    histogram: Histogram | None = None
    # The most frequent values, at most 20.
    top: list[TopValue] | None = None
    # Whether distinct, quantiles, bins and counts of frequent values are estimates.
    is_approximate: bool = False
    association: Association | None = None
    warnings: list[ColumnWarning] = Field(default_factory=list)


class SuggestedTarget(Schema):
    """The column that a fit most likely predicts, and why it was picked."""

    column: str
    reason: str


class ImageProfile(Schema):
    """What the images of a version have in common."""

    width: int
    height: int
    channels: int
    # Images of each class, the most frequent first.
    classes: dict[str, int]
    # Of pixels, from 0 to 1.
    mean: float
    sd: float
    smallest_bytes: int
    largest_bytes: int


class ProfileOut(Schema):
    """What is known about the columns of a version."""

    rows: int
    columns: list[ColumnOut]
    suggested_target: SuggestedTarget | None
    state: ProfileState = "ready"
    progress: float = 1.0
    message: str = ""
    # The target that associations are about, if one was asked for.
    target: str | None = None
    warnings: list[str]
    doubts: list[DoubtOut] = Field(default_factory=list)
    duplicate_rows: int | None = None
    images: ImageProfile | None = None


class ColumnDiff(Schema):
    """One column in two versions; null where it is in only one."""

    name: str
    change: Literal["added", "dropped", "changed", "same"]
    type_before: ColumnType | None
    type_after: ColumnType | None
    role_before: ColumnRole | None = None
    role_after: ColumnRole | None = None
    nulls_before: int | None
    nulls_after: int | None
    mean_before: float | None = None
    mean_after: float | None = None
    distinct_before: int | None = None
    distinct_after: int | None = None
    # Kolmogorov-Smirnov distance of numbers, total variation distance of categories: 0 to 1.
    shift: float | None = None
    # A sentence about a shift that one should look at.
    verdict: str | None = None
    categories_added: list[str] = Field(default_factory=list)
    categories_gone: list[str] = Field(default_factory=list)


class VersionDiff(Schema):
    """What changed from one version to another."""

    before: int
    after: int
    same_content: bool
    rows_before: int
    rows_after: int
    # Rows of either version that the other one does not have, counted with repeats; null where
    # the columns differ.
    rows_only_before: int | None
    rows_only_after: int | None
    columns: list[ColumnDiff]
