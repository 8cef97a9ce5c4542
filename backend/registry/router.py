"""Models over HTTP: register, version, alias, roll back."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response, status

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.pagination import PageRequest
from backend.core.schemas import Id, Page, Reason, StorableText, VersionNumber
from backend.registry import service
from backend.registry.repository import (
    AliasChangeRepository,
    ModelRepository,
    ModelVersionRepository,
)
from backend.registry.schemas import (
    CHAMPION,
    Alias,
    AliasChangeOut,
    AliasOut,
    AliasUpdate,
    ModelCreate,
    ModelFilter,
    ModelOut,
    ModelUpdate,
    ModelVersionOut,
    RollbackRequest,
    VersionCreate,
)
from backend.tables import Model, ModelVersion

router = APIRouter(prefix="/models", tags=["models"])


async def _model_outs(
    session: SessionDep, viewer: ViewerDep, models: Sequence[Model], mlflow: str
) -> list[ModelOut]:
    standings = await service.standings(session, viewer, models)
    return [_model_out(model, standings[model.id], mlflow) for model in models]


async def _one_out(session: SessionDep, viewer: ViewerDep, model: Model, mlflow: str) -> ModelOut:
    return (await _model_outs(session, viewer, [model], mlflow))[0]


def _model_out(model: Model, standing: service.Standing, mlflow: str) -> ModelOut:
    fit = model.latest.fit
    return ModelOut.model_validate(
        {
            "id": model.id,
            "name": model.name,
            "description": model.description,
            "project_id": model.project_id,
            "kind": fit.dataset.kind,
            "task": fit.task,
            "target": fit.target,
            "mlflow_name": model.mlflow_name,
            "mlflow_uri": f"models:/{model.mlflow_name}@{CHAMPION}",
            "mlflow_url": f"{mlflow}/#/models/{quote(model.mlflow_name, safe='')}",
            "latest_version": model.latest_version,
            "aliases": _aliases(model),
            "champion": standing.champion,
            "rollback_to": standing.rollback_to,
            "mirror": "recorded" if model.revision == model.mirrored_revision else "pending",
            "created_by": model.creator.username,
            "created_at": model.created_at,
        }
    )


def _version_out(row: ModelVersion, aliases: dict[str, int]) -> ModelVersionOut:
    fit = row.fit
    return ModelVersionOut.model_validate(
        {
            "version": row.version,
            "fit_id": fit.id,
            "fit_name": fit.name,
            "origin": row.origin,
            "estimator": fit.estimator,
            "task": fit.task,
            "target": fit.target,
            "params": fit.spec["params"],
            "metrics": fit.metrics,
            "dataset_id": fit.dataset_id,
            "dataset_name": fit.dataset.name,
            "dataset_version": fit.dataset_version.version,
            "dataset_digest": fit.dataset_version.content_digest,
            "recipe": fit.dataset_version.recipe,
            "mlflow_run_id": fit.mlflow_run_id,
            "mlflow_version": row.mlflow_version,
            "aliases": [name for name, version in aliases.items() if version == row.version],
            "created_by": row.creator.username,
            "created_at": row.created_at,
        }
    )


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_model(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    data: ModelCreate,
    response: Response,
) -> ModelOut:
    """Register a finished fit as version 1 of a new model."""
    row = await service.register_model(session, viewer, data, idempotency=idempotency)
    model = await _one_out(session, viewer, row, settings.urls.mlflow)
    response.headers["Location"] = f"/api/v1/models/{model.id}"
    send_etag(response, model)
    return model


@router.get("")
async def list_models(
    session: SessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    page: PageDep,
    signer: SignerDep,
    project_id: Annotated[Id | None, Query()] = None,
    name_contains: Annotated[StorableText | None, Query(max_length=200)] = None,
    mine: bool = False,
) -> Page[ModelOut]:
    """Models that the caller may read."""
    filter_by = ModelFilter(project_id=project_id, name_contains=name_contains, mine=mine)
    rows, next_cursor = await ModelRepository(session, viewer).page(page, signer, filter_by)
    items = await _model_outs(session, viewer, rows, settings.urls.mlflow)
    return Page[ModelOut](items=items, next_cursor=next_cursor)


@router.get("/{model_id}")
async def read_model(
    session: SessionDep, viewer: ViewerDep, settings: SettingsDep, model_id: Id, response: Response
) -> ModelOut:
    """One model."""
    row = await ModelRepository(session, viewer).get(model_id)
    model = await _one_out(session, viewer, row, settings.urls.mlflow)
    send_etag(response, model)
    return model


@router.patch("/{model_id}")
async def update_model(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    model_id: Id,
    data: ModelUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> ModelOut:
    """Rename, describe or move a model; its name in MLflow stays."""
    row = await service.writable_model(session, viewer, model_id)
    check_match(if_match, await _one_out(session, viewer, row, settings.urls.mlflow))
    await service.update_model(session, viewer, row, data)
    row = await ModelRepository(session, viewer).get(model_id)
    model = await _one_out(session, viewer, row, settings.urls.mlflow)
    send_etag(response, model)
    return model


@router.delete("/{model_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_model(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    model_id: Id,
    if_match: IfMatchDep,
) -> None:
    """Move a model to the trash; its fits stay."""
    row = await service.writable_model(session, viewer, model_id)
    check_match(if_match, await _one_out(session, viewer, row, settings.urls.mlflow))
    await service.trash_model(session, viewer, row)


@router.post("/{model_id}/versions", status_code=status.HTTP_201_CREATED)
async def create_version(
    session: SessionDep, viewer: WriterDep, model_id: Id, data: VersionCreate, response: Response
) -> ModelVersionOut:
    """Register a finished fit as the next version; the same fit again is the same version."""
    aliases = _aliases(await ModelRepository(session, viewer).get(model_id))
    row = await service.add_version(session, viewer, model_id, data.fit_id)
    version = _version_out(row, aliases)
    response.headers["Location"] = f"/api/v1/models/{model_id}/versions/{version.version}"
    return version


def _aliases(model: Model) -> dict[str, int]:
    return {alias.alias: alias.version for alias in model.aliases}


@router.get("/{model_id}/versions")
async def list_versions(
    session: SessionDep, viewer: ViewerDep, model_id: Id
) -> Page[ModelVersionOut]:
    """All versions, the latest first."""
    model = await ModelRepository(session, viewer).get(model_id)
    rows = await ModelVersionRepository(session, viewer).list_of(model_id)
    items = [_version_out(row, _aliases(model)) for row in rows]
    return Page[ModelVersionOut](items=items, next_cursor=None)


@router.get("/{model_id}/versions/{version}")
async def read_version(
    session: SessionDep,
    viewer: ViewerDep,
    model_id: Id,
    version: VersionNumber,
    response: Response,
) -> ModelVersionOut:
    """One version with its lineage: fit, dataset version, MLflow run."""
    model = await ModelRepository(session, viewer).get(model_id)
    row = await ModelVersionRepository(session, viewer).get(model_id, version)
    content = _version_out(row, _aliases(model))
    send_etag(response, content)
    return content


@router.get("/{model_id}/aliases/history")
async def list_alias_changes(
    session: SessionDep,
    viewer: ViewerDep,
    signer: SignerDep,
    model_id: Id,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[StorableText | None, Query(max_length=2_000)] = None,
    alias: Annotated[Alias | None, Query()] = None,
) -> Page[AliasChangeOut]:
    """Every move of the aliases with who and why, the newest first."""
    await ModelRepository(session, viewer).get(model_id)
    page = PageRequest(limit=limit, cursor=cursor, sort="-changed_at")
    changes = AliasChangeRepository(session, viewer)
    rows, next_cursor = await changes.page(page, signer, model_id, alias)
    items = [
        AliasChangeOut.model_validate(
            {
                "id": row.id,
                "alias": row.alias,
                "kind": row.kind,
                "from_version": row.from_version,
                "to_version": row.to_version,
                "reason": row.reason,
                "changed_by": row.author.username,
                "changed_at": row.changed_at,
            }
        )
        for row in rows
    ]
    return Page[AliasChangeOut](items=items, next_cursor=next_cursor)


@router.put("/{model_id}/aliases/{alias}")
async def set_alias(
    session: SessionDep, viewer: WriterDep, model_id: Id, alias: Alias, data: AliasUpdate
) -> AliasOut:
    """Point an alias at a version; predictions follow with the next request."""
    await service.set_alias(session, viewer, model_id, alias, data)
    return AliasOut(alias=alias, version=data.version)


@router.delete("/{model_id}/aliases/{alias}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_alias(
    session: SessionDep,
    viewer: WriterDep,
    model_id: Id,
    alias: Alias,
    reason: Annotated[Reason, Query()],
) -> None:
    """Take an alias away."""
    await service.remove_alias(session, viewer, model_id, alias, reason)


@router.post("/{model_id}/rollback")
async def roll_back(
    session: SessionDep, viewer: WriterDep, model_id: Id, data: RollbackRequest
) -> AliasOut:
    """The alias goes back one step."""
    version = await service.roll_back(session, viewer, model_id, data)
    return AliasOut(alias=data.alias, version=version)
