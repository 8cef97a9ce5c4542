"""What the fits routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from backend.core.schemas import (
    ColumnName,
    Id,
    Name,
    Schema,
    Timestamp,
    VersionNumber,
)
from backend.fits.states import FitState
from backend.science.estimator_spec import Preset
from backend.science.spec import (
    ClassWeight,
    Holdout,
    Preprocessing,
    Search,
    TargetTransform,
    Task,
    Validation,
)
from backend.science.storable import storable

EstimatorName = Annotated[
    str, StringConstraints(min_length=1, max_length=100), BeforeValidator(storable)
]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(storable)]
TagValue = Annotated[str, StringConstraints(max_length=500), BeforeValidator(storable)]
MetricName = Annotated[
    str, StringConstraints(min_length=1, max_length=100), BeforeValidator(storable)
]
TagFilter = Annotated[
    str, StringConstraints(min_length=1, max_length=601), BeforeValidator(storable)
]
SearchText = Annotated[
    str, StringConstraints(min_length=1, max_length=200), BeforeValidator(storable)
]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=64), BeforeValidator(storable)]
Notes = Annotated[str, StringConstraints(max_length=20_000), BeforeValidator(storable)]
FitErrorCode = Literal[
    "data",
    "estimator",
    "memory_limit",
    "time_limit",
    "worker_lost",
    "process_died",
    "files",
    "budget",
]


class FitLimits(Schema):
    """What one fit may take, within the settings of the server."""

    seconds: int | None = Field(None, ge=1, le=604_800)
    memory_bytes: int | None = Field(None, ge=100_000_000, le=10**15)


class FitCreate(Schema):
    """What to fit, to what, and how to check it."""

    dataset_id: Id
    version: VersionNumber | None = None
    target: ColumnName
    features: Annotated[list[ColumnName], Field(min_length=1, max_length=2_000)] | None = None
    task: Task | None = None
    estimator: EstimatorName
    # Where to start from; `params` change single values of it.
    preset: Preset | None = None
    params: dict[str, Any] = Field(default_factory=dict, max_length=100)
    preprocessing: Preprocessing = Preprocessing()
    target_transform: TargetTransform = "none"
    class_weight: ClassWeight = "none"
    weights: ColumnName | None = None
    validation: Validation = Holdout()
    search: Search | None = None
    main_metric: MetricName | None = None
    seed: int = Field(0, ge=0, le=2**32 - 1)
    limits: FitLimits = FitLimits()
    # Only administrators: a fit that goes before all others.
    priority: Literal["normal", "high"] = "normal"
    name: Name | None = None
    notes: Notes = ""
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=50)


class FitUpdate(Schema):
    """What may be changed afterwards; a field left out stays."""

    name: Name | None = None
    notes: Notes | None = None
    tags: dict[TagKey, TagValue] | None = Field(None, max_length=50)
    archived: bool | None = None
    # The caller must own both projects; null and the present one: it stays.
    project_id: Id | None = None


class FitErrorOut(Schema):
    """Why a fit failed."""

    message: str
    column: str | None = None
    # For programs: what kind of reason it is.
    code: FitErrorCode = "estimator"


class ExcludedColumn(Schema):
    """A column that was not used, and why."""

    column: str
    reason: str


class Interval(Schema):
    """Bootstrap interval of 95 %; the rows of the hold-out are drawn again."""

    low: float
    high: float


class Spread(Schema):
    """A metric over the folds."""

    mean: float
    sd: float


class FoldOut(Schema):
    """One fold's metrics."""

    repeat: int
    fold: int
    rows: int
    metrics: dict[str, float]


class FitSummary(Schema):
    """A fit as lists show it."""

    # A star is the reader's own mark: nobody's change is refused for it.
    passing = frozenset({"progress", "progress_message", "position", "starred"})

    id: int
    name: str
    project_id: int
    state: FitState
    progress: float
    progress_message: str
    # Fits that go before this one; null unless it is queued.
    position: int | None
    attempt: int
    task: Task | None
    estimator: str
    dataset_id: int
    dataset_name: str
    version: int
    target: str
    main_metric: str | None
    metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    metric_spread: dict[str, Spread]
    warnings: list[str]
    tracking: Literal["pending", "recorded"]
    error: FitErrorOut | None
    leaderboard_id: int | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    archived_at: Timestamp | None
    trashed_at: Timestamp | None
    seconds: float | None
    estimated_seconds: float | None
    starred: bool
    tags: dict[str, str]


class FitOut(FitSummary):
    """A fit with all that is known about it so far."""

    params: dict[str, Any]
    # sha256 of the version's content; it stays where the dataset itself is out of sight.
    dataset_digest: str
    features: list[str] | None
    excluded: list[ExcludedColumn]
    preprocessing: dict[str, Any]
    target_transform: TargetTransform
    class_weight: ClassWeight
    weights: str | None
    validation: dict[str, Any]
    search: dict[str, Any] | None
    # What a search found best; null without one.
    best_params: dict[str, Any] | None
    seed: int
    metric_intervals: dict[str, Interval]
    fold_metrics: list[FoldOut]
    rows_used: int | None
    rows_holdout: int | None
    mlflow_run_id: str | None
    mlflow_url: str | None
    rerun_of: int | None
    priority: Literal["normal", "high"]
    limits: FitLimits
    peak_memory_bytes: int | None
    environment: dict[str, Any]
    notes: str


class FitFilter(Schema):
    """Which fits a list is about."""

    model_config = ConfigDict(frozen=True)

    project_id: Id | None = None
    dataset_id: Id | None = None
    state: FitState | None = None
    estimator: EstimatorName | None = None
    mine: bool = False
    # The name of the user who started it.
    created_by: UserName | None = None
    starred: bool = False
    archived: bool = False
    trashed: bool = False
    leaderboard_id: Id | None = None
    # `key` or `key=value`.
    tag: TagFilter | None = None
    # Part of the name, the target, the dataset's name or the notes; or a fit's number.
    search: SearchText | None = None


class EstimateOut(Schema):
    """How long a fit would take, by similar ones; null where there are none."""

    seconds: float | None
    fits: int


BulkAction = Literal["cancel", "archive", "unarchive", "trash", "restore", "tag", "star", "unstar"]


class BulkRequest(Schema):
    """One action over several fits: all or nothing."""

    action: BulkAction
    ids: Annotated[list[Id], Field(min_length=1, max_length=200)]
    # For `tag`: added to what is there.
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=50)


class BulkOut(Schema):
    """What a bulk action changed."""

    changed: list[int]
    # Nothing was to be done with these: finished already, archived already, ...
    unchanged: list[int]


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
    # Parameters of each preset, over the defaults.
    presets: dict[Preset, dict[str, Any]]
    # What a search tries per parameter where nothing else is asked for.
    search_space: dict[str, Any]
    # Linear estimators tell coefficients.
    has_coefficients: bool
    takes_weights: bool
    # It learns from no more; null where only time and memory end it.
    most_rows: int | None = None


class EstimatorList(Schema):
    """The catalogue."""

    items: list[EstimatorOut]


class FitPayload(Schema):
    """The job that follows a fit; old workers leave versions they do not know."""

    version: Literal[1] = 1
    fit_id: int


class TrackPayload(Schema):
    """The job that records a finished fit in MLflow."""

    version: Literal[1] = 1
    fit_id: int
