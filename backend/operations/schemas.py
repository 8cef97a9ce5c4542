"""What administrators see of the running product."""

from typing import Literal

from backend.core.schemas import Schema, Timestamp

JobState = Literal["waiting", "delayed", "running", "failed"]
ComponentState = Literal["ok", "failed", "unknown"]


class JobOut(Schema):
    """One job: what it is about, where it stands, how long it has waited."""

    id: int
    entrypoint: str
    state: JobState
    priority: int
    tries: int
    about: dict[str, int | str]
    request_id: str | None
    created_at: Timestamp
    due_at: Timestamp
    waited_seconds: float | None


class Component(Schema):
    """One part of the product."""

    name: str
    state: ComponentState
    detail: str
    milliseconds: float | None = None


class HealthOut(Schema):
    """All parts, and how much waits."""

    state: ComponentState
    components: list[Component]
    jobs: dict[str, int]
    oldest_waiting_seconds: float
    unrecorded_fits: int
    workers: int


class StorageArea(Schema):
    """Files of one kind, or one database."""

    name: str
    bytes: int | None
    count: int | None


class StorageOut(Schema):
    """Where the bytes are."""

    areas: list[StorageArea]
    free_bytes: int | None
    rows: dict[str, int]
