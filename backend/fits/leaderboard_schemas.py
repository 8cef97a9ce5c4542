"""What the leaderboard routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import Field

from backend.core.schemas import ColumnName, Id, Name, Schema, Timestamp, VersionNumber
from backend.fits.schemas import EstimatorName, FitSummary, MetricName
from backend.science.estimator_spec import Preset
from backend.science.spec import (
    ClassWeight,
    Holdout,
    Preprocessing,
    TargetTransform,
    Task,
    Validation,
)


class LeaderboardCreate(Schema):
    """Try several estimators on the same rows within a time budget."""

    dataset_id: Id
    version: VersionNumber | None = None
    target: ColumnName
    features: Annotated[list[ColumnName], Field(min_length=1, max_length=2_000)] | None = None
    task: Task | None = None
    # All of the catalogue that do the task, where nothing is named.
    estimators: Annotated[list[EstimatorName], Field(min_length=1, max_length=50)] | None = None
    preset: Preset = "balanced"
    preprocessing: Preprocessing = Preprocessing()
    target_transform: TargetTransform = "none"
    class_weight: ClassWeight = "none"
    weights: ColumnName | None = None
    validation: Validation = Holdout()
    main_metric: MetricName | None = None
    budget_seconds: int = Field(300, ge=10, le=86_400)
    seed: int = Field(0, ge=0, le=2**32 - 1)
    name: Name | None = None


class LeaderboardOut(Schema):
    """A leaderboard and how far it is."""

    id: int
    project_id: int
    name: str
    dataset_id: int
    dataset_name: str
    version: int
    target: str
    request: dict[str, Any]
    main_metric: str
    greater_is_better: bool
    budget_seconds: int
    # Of the budget; null before the first fit starts and after the end.
    seconds_left: float | None
    state: Literal["running", "finished", "cancelled"]
    total: int
    unfinished: int
    best_fit_id: int | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class LeaderboardDetail(LeaderboardOut):
    """With its fits, the best first, then those that run or wait, then those that failed."""

    fits: list[FitSummary]
