"""What the model routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, StringConstraints

from backend.core.schemas import (
    Description,
    Id,
    Name,
    Reason,
    Schema,
    StorableText,
    Timestamp,
    VersionNumber,
)
from backend.science.spec import Task

CHAMPION = "champion"
CHALLENGER = "challenger"


def _not_reserved(alias: str) -> str:
    if alias == "latest" or (alias[0] == "v" and alias[1:].isdigit()):
        raise ValueError("this name is reserved; `latest` and `v1` are no aliases")
    return alias


Alias = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,49}$"), AfterValidator(_not_reserved)
]
ModelKind = Literal["table", "image"]
Origin = Literal["fit", "retraining"]
ChangeKind = Literal["set", "rollback", "removed", "retraining"]


class ModelCreate(Schema):
    """A model whose version 1 is a finished fit."""

    name: Name
    fit_id: Id
    project_id: Id | None = None
    description: Description = ""


class ModelUpdate(Schema):
    """What may be changed; a field left out stays."""

    name: Name | None = None
    description: Description | None = None
    # The caller must own both projects; null and the present one: it stays.
    project_id: Id | None = None


class ChampionOut(Schema):
    """The version that answers, and how it scored on the hold-out of its own data."""

    version: int
    metrics: dict[str, float]


class ModelOut(Schema):
    """A model, where its aliases point, and where a rollback of its champion would lead."""

    passing = frozenset({"mirror"})

    id: int
    name: str
    description: str
    project_id: int
    kind: ModelKind
    task: Task
    target: str
    mlflow_name: str
    mlflow_uri: str
    mlflow_url: str
    latest_version: int
    aliases: dict[str, int]
    champion: ChampionOut | None
    rollback_to: int | None
    mirror: Literal["pending", "recorded"]
    created_by: str
    created_at: Timestamp


class ModelFilter(Schema):
    """Which models a list is about."""

    project_id: Id | None = None
    name_contains: StorableText | None = None
    mine: bool = False


class VersionCreate(Schema):
    """The next version of a model."""

    fit_id: Id


class ModelVersionOut(Schema):
    """One immutable version with where it came from."""

    passing = frozenset({"mlflow_run_id", "mlflow_version"})

    version: int
    fit_id: int
    fit_name: str
    origin: Origin
    estimator: str
    task: Task
    target: str
    params: dict[str, Any]
    metrics: dict[str, float]
    dataset_id: int
    dataset_name: str
    dataset_version: int
    dataset_digest: str
    recipe: list[dict[str, Any]] | None
    mlflow_run_id: str | None
    mlflow_version: str | None
    aliases: list[str]
    created_by: str
    created_at: Timestamp


class AliasUpdate(Schema):
    """Where an alias is to point, and why."""

    version: VersionNumber
    reason: Reason


class AliasOut(Schema):
    """Where an alias points; null where it was taken away."""

    alias: str
    version: int | None


class RollbackRequest(Schema):
    """Which alias goes back one step, and why."""

    alias: Alias = CHAMPION
    reason: Reason


class AliasChangeOut(Schema):
    """One move of an alias."""

    id: int
    alias: str
    kind: ChangeKind
    from_version: int | None
    to_version: int | None
    reason: str
    changed_by: str
    changed_at: Timestamp


class MirrorPayload(Schema):
    """The job that brings MLflow's registry to the platform's state of a model."""

    version: Literal[1] = 1
    model_id: int
