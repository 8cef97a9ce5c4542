"""Registering fits as model versions, and moving aliases between them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import Conflict, FieldProblem, Unprocessable, field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.trash import require_data_kept
from backend.fits.repository import FitRepository
from backend.fits.states import FitState
from backend.projects.service import project_readers, require_both_owned, require_editor
from backend.registry.mirroring import enqueue_mirror
from backend.registry.moving import move_model
from backend.registry.repository import (
    AliasChangeRepository,
    ModelRepository,
    ModelVersionRepository,
)
from backend.registry.schemas import (
    CHAMPION,
    AliasUpdate,
    ChampionOut,
    ChangeKind,
    ModelCreate,
    ModelUpdate,
    Origin,
    RollbackRequest,
)
from backend.tables import AliasChange, Fit, Model, ModelAlias, ModelVersion

# Any constant will do; all processes of one database have to agree on it.
NAMING_LOCK: Final = 7_013_005
LONGEST_MLFLOW_NAME: Final = 200
DEEDS: Final[Mapping[ChangeKind, Action]] = {
    "set": Action.ALIAS_SET,
    "retraining": Action.ALIAS_SET,
    "removed": Action.ALIAS_REMOVED,
    "rollback": Action.ROLLED_BACK,
}


class NothingToRollBack(Conflict):
    """There is no earlier version to go back to"""

    code = "nothing_to_roll_back"


async def register_model(
    session: AsyncSession, viewer: Viewer, data: ModelCreate, *, idempotency: Idempotency
) -> Model:
    """A new model whose version 1 is a finished fit."""
    models = ModelRepository(session, viewer)
    content = fingerprint(data.model_dump(mode="json"))
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await models.get(made)
    # Before the fit, as whoever moves a model does.
    await session.execute(select(func.pg_advisory_xact_lock(NAMING_LOCK)))
    fit = await _registrable_fit(session, viewer, data.fit_id)
    await require_editor(session, viewer, fit.project_id)
    if data.project_id not in (None, fit.project_id):
        raise field_error("project_id", msg="the model stays in the project of its fit")
    await _require_free_name(models, fit.project_id, data.name)
    model = Model(
        project_id=fit.project_id,
        name=data.name,
        description=data.description,
        mlflow_name=await _free_mlflow_name(session, fit.project_id, data.name),
        latest_version=1,
        created_by=viewer.user_id,
    )
    session.add(model)
    await session.flush()
    session.add(_version(model, 1, fit, viewer, "fit"))
    details = {"version": 1, "fit_id": fit.id}
    audit.record(session, viewer, Action.MODEL_CREATED, about(model), details=details)
    await session.flush()
    await enqueue_mirror(session, model)
    await idempotency.remember(session, viewer, content, model.id)
    return await models.get(model.id)


async def _registrable_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """Locked until the transaction ends: a fit that is moved meanwhile would lose its model."""
    fit = await FitRepository(session, viewer).get(fit_id, for_update=True)
    if fit.state != FitState.SUCCEEDED:
        raise Conflict(
            f"This fit is {fit.state}; only a fit that succeeded can be registered.",
            code="fit_without_results",
        )
    return fit


async def _require_free_name(models: ModelRepository, project_id: int, name: str) -> None:
    if await models.find_named(project_id, name) is not None:
        raise Conflict(
            f"This project has a model named {name}. Add a version to it, or choose another name.",
            code="name_taken",
        )


async def _free_mlflow_name(session: AsyncSession, project_id: int, name: str) -> str:
    """The project's slug and the name in MLflow's letters; numbered where it was ever used."""
    slug = (await project_readers(session, project_id)).slug
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
    wanted = f"{slug}.{plain}"[:LONGEST_MLFLOW_NAME]
    statement = select(Model.mlflow_name).where(
        Model.mlflow_name.istartswith(wanted, autoescape=True)
    )
    taken = {name.lower() for name in (await session.execute(statement)).scalars()}
    candidate, number = wanted, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{wanted}-{number}"
    return candidate


def _version(model: Model, number: int, fit: Fit, viewer: Viewer, origin: Origin) -> ModelVersion:
    return ModelVersion(
        model_id=model.id,
        version=number,
        fit_id=fit.id,
        origin=origin,
        created_by=viewer.user_id,
    )


async def writable_model(session: AsyncSession, viewer: Viewer, model_id: int) -> Model:
    """A model that the viewer may change, locked until the transaction ends."""
    model = await ModelRepository(session, viewer).get(model_id, for_update=True)
    await require_editor(session, viewer, model.project_id)
    return model


async def add_version(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    fit_id: int,
    *,
    origin: Origin = "fit",
) -> ModelVersion:
    """A finished fit as the next version; added again it is the version that it was."""
    model = await writable_model(session, viewer, model_id)
    versions = ModelVersionRepository(session, viewer)
    known = await versions.find_of_fit(model_id, fit_id)
    if known is not None:
        return known
    fit = await _registrable_fit(session, viewer, fit_id)
    if fit.project_id != model.project_id:
        raise field_error("fit_id", msg="the fit belongs to another project than the model")
    served = await versions.get_results(model_id, model.latest_version)
    _require_same_interface(served.fit.outcome, fit.outcome)
    model.latest_version += 1
    session.add(_version(model, model.latest_version, fit, viewer, origin))
    details = {"version": model.latest_version, "fit_id": fit.id, "origin": origin}
    audit.record(session, viewer, Action.MODEL_VERSION_ADDED, about(model), details=details)
    await _changed(session, model)
    return await versions.get(model_id, model.latest_version)


def _require_same_interface(now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Whoever asks the model must not notice that it was replaced."""
    problems: list[str] = []
    for part in ("name", "task"):
        wanted, got = now["output"][part], then["output"][part]
        if wanted != got:
            problems.append(f"the model predicts {wanted}, the fit {got}")
    wanted_columns, columns = _kinds(now["input_columns"]), _kinds(then["input_columns"])
    problems += [f"the fit lacks {name}" for name in wanted_columns if name not in columns]
    problems += [f"the fit also needs {name}" for name in columns if name not in wanted_columns]
    problems += [
        f"{name} is of another kind or size for the model"
        for name in wanted_columns
        if name in columns and wanted_columns[name] != columns[name]
    ]
    if problems:
        errors = [
            FieldProblem(loc=["body", "fit_id"], msg=text, type="incompatible") for text in problems
        ]
        raise Unprocessable(
            f"The fit does not answer what this model is asked: {'; '.join(problems)}.",
            errors=errors,
        )


def _kinds(columns: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a request has to bring for each column: a number or not, an image of which size."""
    parts = ("numeric", "width", "height", "channels")
    return {column["name"]: [column.get(part) for part in parts] for column in columns}


async def _changed(session: AsyncSession, model: Model) -> None:
    """MLflow's registry follows each change."""
    model.revision += 1
    await session.flush()
    await enqueue_mirror(session, model)


async def update_model(
    session: AsyncSession, viewer: Viewer, model: Model, data: ModelUpdate
) -> None:
    """Rename, describe, or move with the fits of all versions."""
    name, project_id = data.name or model.name, data.project_id or model.project_id
    is_moved = project_id != model.project_id
    if is_moved:
        # Before anything is said about names in the other project.
        await require_both_owned(session, viewer, model.project_id, project_id)
    if is_moved or name.lower() != model.name.lower():
        await session.execute(select(func.pg_advisory_xact_lock(NAMING_LOCK)))
        await _require_free_name(ModelRepository(session, viewer), project_id, name)
    changes = data.model_dump(exclude={"project_id"}, exclude_unset=True, exclude_none=True)
    # Its new name may be free in one of the two projects only: both change at once.
    with session.no_autoflush:
        details = audit.assign(model, changes)
        if is_moved:
            await move_model(session, viewer, model, project_id)
    if details:
        audit.record(session, viewer, Action.MODEL_UPDATED, about(model), details=details)
    await _changed(session, model)


async def trash_model(session: AsyncSession, viewer: Viewer, model: Model) -> None:
    """Out of sight; its fits stay."""
    model.trashed_at = await database_time(session)
    audit.record(session, viewer, Action.MODEL_TRASHED, about(model))
    await _changed(session, model)


async def set_alias(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    alias: str,
    data: AliasUpdate,
    *,
    kind: ChangeKind = "set",
) -> None:
    """Point an alias at a version; predictions follow with the next request."""
    model = await writable_model(session, viewer, model_id)
    await ModelVersionRepository(session, viewer).get(model_id, data.version)
    await _move(session, viewer, model, alias, data.version, data.reason, kind)


async def remove_alias(
    session: AsyncSession, viewer: Viewer, model_id: int, alias: str, reason: str
) -> None:
    """Take an alias away; removed already, nothing happens."""
    model = await writable_model(session, viewer, model_id)
    if alias in _aliases(model):
        await _move(session, viewer, model, alias, None, reason, "removed")


async def roll_back(
    session: AsyncSession, viewer: Viewer, model_id: int, data: RollbackRequest
) -> int:
    """The alias goes back one step; answers where it points then."""
    model = await writable_model(session, viewer, model_id)
    moves = await AliasChangeRepository(session, viewer).moves([model_id], data.alias)
    target = find_previous_version((move.kind, move.to_version) for move in moves)
    if target is None:
        raise NothingToRollBack("The alias has no earlier version to go back to.")
    await _move(session, viewer, model, data.alias, target, data.reason, "rollback")
    return target


def find_previous_version(moves: Iterable[tuple[str, int | None]]) -> int | None:
    """Where an alias pointed before its last step that was not taken back yet."""
    steps: list[int | None] = []
    for kind, version in moves:
        if kind == "rollback":
            steps.pop()
        else:
            steps.append(version)
    return steps[-2] if len(steps) > 1 else None


@dataclass(frozen=True)
class Standing:
    """Who answers for a model, and who would after a rollback."""

    champion: ChampionOut | None
    rollback_to: int | None


async def standings(
    session: AsyncSession, viewer: Viewer, models: Sequence[Model]
) -> dict[int, Standing]:
    """By model; two statements, however many models."""
    ids = [model.id for model in models]
    champions = {
        row.model_id: ChampionOut(version=row.version, metrics=row.metrics)
        for row in await ModelVersionRepository(session, viewer).metrics_of(ids, CHAMPION)
    }
    moves: dict[int, list[tuple[str, int | None]]] = {number: [] for number in ids}
    for move in await AliasChangeRepository(session, viewer).moves(ids, CHAMPION):
        moves[move.model_id].append((move.kind, move.to_version))
    return {
        number: Standing(champions.get(number), find_previous_version(moves[number]))
        for number in ids
    }


def current_alias(model: Model, alias: str) -> int | None:
    """Where an alias points now."""
    return _aliases(model).get(alias)


def _aliases(model: Model) -> dict[str, int]:
    return {alias.alias: alias.version for alias in model.aliases}


async def _move(
    session: AsyncSession,
    viewer: Viewer,
    model: Model,
    alias: str,
    version: int | None,
    reason: str,
    kind: ChangeKind,
) -> None:
    """The alias, its history and MLflow's copy change in one transaction."""
    before = _aliases(model).get(alias)
    if version == before and kind != "rollback":
        return
    if alias == CHAMPION and version is not None:
        await require_data_kept(session, model.id, version)
    if version is None:
        await session.execute(
            delete(ModelAlias).where(ModelAlias.model_id == model.id, ModelAlias.alias == alias)
        )
    else:
        await session.merge(ModelAlias(model_id=model.id, alias=alias, version=version))
    session.add(
        AliasChange(
            model_id=model.id,
            alias=alias,
            kind=kind,
            from_version=before,
            to_version=version,
            reason=reason,
            changed_by=viewer.user_id,
        )
    )
    details = {"alias": alias, "from": before, "to": version, "by": kind, "reason": reason}
    audit.record(session, viewer, DEEDS[kind], about(model), details=details)
    await _changed(session, model)
