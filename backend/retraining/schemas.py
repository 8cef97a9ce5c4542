"""What the retraining routes take and answer."""

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter
from pydantic import AfterValidator, Field

from backend.core.schemas import (
    Id,
    Reason,
    Schema,
    StorableText,
    Timestamp,
    VersionNumber,
)

RetrainingState = Literal[
    "queued", "running", "promoted", "rejected", "waiting_for_approval", "failed", "cancelled"
]
Trigger = Literal["manual", "schedule"]
CRON_FIELDS = 5
# Without the random and hashed forms that some cron programs know.
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun"
_CRON_FIELD = re.compile(rf"(\d+|\*|{_NAMES})([-/,](\d+|\*|{_NAMES}))*", re.IGNORECASE)


def _cron(text: str) -> str:
    """Five fields of numbers, names, lists, ranges and steps, which happen at some time."""
    fields = text.split()
    plain = all(_CRON_FIELD.fullmatch(field) for field in fields)
    if len(fields) != CRON_FIELDS or not plain or not croniter.is_valid(text):
        raise ValueError("not a cron expression of five fields, for instance `0 6 * * 1`")
    try:
        croniter(text).get_next()
    except CroniterBadDateError:
        raise ValueError("this never happens: there is no such date") from None
    return " ".join(fields)


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("not a time zone, for instance `UTC` or `Europe/Vienna`")
    ZoneInfo(text)
    return text


Cron = Annotated[StorableText, Field(max_length=100), AfterValidator(_cron)]
TimeZone = Annotated[StorableText, Field(max_length=100), AfterValidator(_zone)]
MetricName = Annotated[StorableText, Field(min_length=1, max_length=100)]
Gain = Annotated[
    float,
    Field(ge=0, le=1e12, description="By how much the challenger has to be better, in the metric"),
]


class Gate(Schema):
    """When a challenger becomes champion."""

    metric: MetricName | None = None
    minimum_gain: Gain = 0.0
    require_approval: bool = False


class RetrainRequest(Gate):
    """What to learn from: by default the latest version of the champion's dataset."""

    dataset_id: Id | None = None
    version: VersionNumber | None = None


class EvidenceOut(Schema):
    """Champion and challenger on the rows that the champion held out."""

    metric: str
    title: str
    greater_is_better: bool
    champion: float
    challenger: float
    gain: float
    minimum_gain: float
    interval_low: float | None
    interval_high: float | None
    rows: int
    withheld_rows: int
    champion_metrics: dict[str, float]
    challenger_metrics: dict[str, float]
    is_better: bool
    verdict: str


class RetrainingErrorOut(Schema):
    """Why a retraining failed."""

    message: str
    column: str | None = None


class RetrainingOut(Schema):
    """One retraining with all that is known about it so far."""

    passing = frozenset({"progress", "progress_message"})

    id: int
    model_id: int
    model_name: str
    project_id: int
    trigger: Trigger
    state: RetrainingState
    progress: float
    progress_message: str
    dataset_id: int
    dataset_name: str
    dataset_version: int
    champion_version: int
    challenger_version: int | None
    fit_id: int
    metric: str
    minimum_gain: float
    require_approval: bool
    evidence: EvidenceOut | None
    error: RetrainingErrorOut | None
    requested_by: str
    decided_by: str | None
    decision_reason: str | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class RetrainingFilter(Schema):
    """Which retrainings a list is about."""

    model_id: Id | None = None
    project_id: Id | None = None
    state: RetrainingState | None = None


class Decision(Schema):
    """Why a challenger is promoted or not."""

    reason: Reason


class PolicyUpdate(Gate):
    """When a model is retrained by itself: no schedule means never."""

    dataset_id: Id
    schedule: Cron | None = None
    timezone: TimeZone = "UTC"


class PolicyOut(Schema):
    """The policy of a model, and when it runs next."""

    dataset_id: int
    dataset_name: str
    schedule: str | None
    timezone: str
    metric: str | None
    minimum_gain: float
    require_approval: bool
    next_runs: list[Timestamp]
    last_problem: str | None
    updated_by: str
    updated_at: Timestamp
