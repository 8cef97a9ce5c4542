"""What the fits routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from backend.core.schemas import (
    ColumnName,
    Id,
    Name,
    Schema,
    Timestamp,
    VersionNumber,
)
from backend.fits.states import FitState
from backend.science.spec import Holdout, Task, Validation
from backend.science.storable import storable

EstimatorName = Annotated[
    str, StringConstraints(min_length=1, max_length=100), BeforeValidator(storable)
]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(storable)]
TagValue = Annotated[str, StringConstraints(max_length=500), BeforeValidator(storable)]
Theme = Literal["light", "dark"]


class FitCreate(Schema):
    """What to fit, to what, and how to check it."""

    dataset_id: Id
    version: VersionNumber | None = None
    target: ColumnName
    features: Annotated[list[ColumnName], Field(min_length=1, max_length=2_000)] | None = None
    task: Task | None = None
    estimator: EstimatorName
    params: dict[str, Any] = Field(default_factory=dict, max_length=100)
    validation: Validation = Holdout()
    seed: int = Field(0, ge=0, le=2**32 - 1)
    name: Name | None = None
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=50)


class FitUpdate(Schema):
    """What may be changed afterwards; a field left out stays."""

    name: Name | None = None
    tags: dict[TagKey, TagValue] | None = Field(None, max_length=50)
    # The caller must own both projects; null and the present one: it stays.
    project_id: Id | None = None


class FitErrorOut(Schema):
    """Why a fit failed."""

    message: str
    column: str | None = None


class ExcludedColumn(Schema):
    """A column that was not used, and why."""

    column: str
    reason: str


class FitOut(Schema):
    """A fit with all that is known about it so far."""

    passing = frozenset({"progress", "progress_message"})

    id: int
    name: str
    project_id: int
    state: FitState
    progress: float
    progress_message: str
    attempt: int
    task: Task | None
    estimator: str
    params: dict[str, Any]
    dataset_id: int
    dataset_name: str
    version: int
    # sha256 of the version's content; it stays where the dataset itself is out of sight.
    dataset_digest: str
    target: str
    features: list[str] | None
    excluded: list[ExcludedColumn]
    validation: dict[str, Any]
    seed: int
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    rows_used: int | None
    rows_holdout: int | None
    warnings: list[str]
    tracking: Literal["pending", "recorded"]
    mlflow_run_id: str | None
    mlflow_url: str | None
    error: FitErrorOut | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    seconds: float | None
    tags: dict[str, str]


class FitFilter(Schema):
    """Which fits a list is about."""

    project_id: Id | None = None
    dataset_id: Id | None = None
    state: FitState | None = None
    estimator: EstimatorName | None = None
    mine: bool = False


class PlotSummary(Schema):
    """One plot that a fit has."""

    kind: str
    title: str
    verdict: str


class PlotList(Schema):
    """The plots of a fit."""

    items: list[PlotSummary]


class PlotOut(Schema):
    """The numbers behind a plot, and what they say."""

    kind: str
    title: str
    verdict: str
    advice: str
    alt: str
    data: dict[str, Any]


class ResidualRow(Schema):
    """One hold-out row; `row` counts the dataset's rows from 0."""

    row: int
    observed: Any
    predicted: Any
    residual: float | None


class ResidualPage(Schema):
    """Hold-out rows, the largest residuals first."""

    items: list[ResidualRow]
    total: int


class CoefficientOut(Schema):
    """One term of a linear fit, in the units of the dataset's columns; null: not determined."""

    term: str
    # The class whose score the term enters; null for regression.
    of_class: str | None
    estimate: float | None
    standard_error: float | None
    statistic: float | None
    p_value: float | None
    ci_low: float | None
    ci_high: float | None


class CoefficientList(Schema):
    """All terms; of each column of categories one is the reference and has no term."""

    items: list[CoefficientOut]
    rows: int
    references: dict[str, str]
    degrees_of_freedom: int | None
    residual_standard_error: float | None
    warnings: list[str]


class EstimatorOut(Schema):
    """An estimator of the catalogue."""

    name: str
    title: str
    summary: str
    reference: str
    tasks: list[Task]
    data: Literal["table", "image"]
    available: bool
    install: str | None
    params_schema: dict[str, Any]
    defaults: dict[str, Any]


class EstimatorList(Schema):
    """The catalogue."""

    items: list[EstimatorOut]


class FitPayload(Schema):
    """The job that runs a fit; old workers leave versions they do not know."""

    version: Literal[1] = 1
    fit_id: int


class TrackPayload(Schema):
    """The job that records a finished fit in MLflow."""

    version: Literal[1] = 1
    fit_id: int
