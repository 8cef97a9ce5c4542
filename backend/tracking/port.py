"""What the platform tells a tracking server about a fit; no MLflow here."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class TrackerUnavailable(ConnectionError):
    """The tracking server does not answer at the moment; the same call may work later."""


class FitRecord(BaseModel):
    """One finished fit, complete, as JSON that can go to another process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit_id: int
    fit_name: str
    # The person whose run it is, and all who may read it.
    username: str
    readers: list[str]
    # Names are global on the tracking server, so this one carries the project's slug.
    experiment: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    dataset_name: str
    dataset_version: int
    dataset_digest: str
    dataset_rows: int
    # Of the whole dataset: `{name, type}`.
    dataset_columns: list[dict[str, Any]]
    target: str
    started_at: float
    finished_at: float
    # A joblib file of a pure scikit-learn pipeline; unpickled only when its sha256 is right.
    model_path: str
    model_sha256: str
    input_columns: list[dict[str, Any]]
    output: dict[str, Any]
    input_example: list[dict[str, Any]]


class RecordedRun(BaseModel):
    """Where the tracking server keeps the fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    experiment_id: str


class Tracker(Protocol):
    """A tracking server."""

    def record_fit(self, record: FitRecord) -> RecordedRun:
        """Record a fit; repeated, also after a crash half-way, it stays one run."""
        ...
