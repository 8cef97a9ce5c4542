"""Fits over HTTP: run, watch, cancel, change, read."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.errors import Conflict
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page
from backend.fits import moving, results, service
from backend.fits.repository import FitRepository
from backend.fits.schemas import (
    CoefficientList,
    EstimatorName,
    FitCreate,
    FitFilter,
    FitOut,
    FitUpdate,
    ResidualPage,
)
from backend.fits.states import FitState
from backend.tables import Fit

router = APIRouter(prefix="/fits", tags=["fits"])


def _mlflow_url(fit: Fit, mlflow: str) -> str | None:
    if fit.mlflow_run_id is None:
        return None
    return f"{mlflow}/#/experiments/{fit.mlflow_experiment_id}/runs/{fit.mlflow_run_id}"


def _fit_out(fit: Fit, mlflow: str) -> FitOut:
    took = (
        (fit.finished_at - fit.started_at).total_seconds()
        if fit.finished_at and fit.started_at
        else None
    )
    return FitOut.model_validate(
        {
            "id": fit.id,
            "name": fit.name,
            "project_id": fit.project_id,
            "state": fit.state,
            "progress": fit.progress,
            "progress_message": fit.progress_message,
            "attempt": fit.attempt,
            "task": fit.task or fit.spec["task"],
            "estimator": fit.estimator,
            "params": fit.spec["params"],
            "dataset_id": fit.dataset_id,
            "dataset_name": fit.dataset.name,
            "version": fit.dataset_version.version,
            "dataset_digest": fit.dataset_version.content_digest,
            "target": fit.target,
            "features": fit.features or fit.spec["features"],
            "excluded": fit.outcome.get("excluded", []),
            "validation": fit.spec["validation"],
            "seed": fit.spec["seed"],
            "metrics": fit.metrics,
            "baseline_metrics": fit.baseline_metrics,
            "rows_used": fit.outcome.get("rows_used"),
            "rows_holdout": fit.outcome.get("rows_holdout"),
            "warnings": fit.warnings,
            "tracking": fit.tracking,
            "mlflow_run_id": fit.mlflow_run_id,
            "mlflow_url": _mlflow_url(fit, mlflow),
            "error": fit.error,
            "created_by": fit.creator.username,
            "created_at": fit.created_at,
            "started_at": fit.started_at,
            "finished_at": fit.finished_at,
            "seconds": took,
            "tags": fit.tags,
        }
    )


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def create_fit(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    data: FitCreate,
    response: Response,
) -> FitOut:
    """Queue a fit."""
    row = await service.start_fit(
        session, viewer, data, limits=settings.fits, idempotency=idempotency
    )
    fit = _fit_out(row, settings.urls.mlflow)
    response.headers["Location"] = f"/api/v1/fits/{fit.id}"
    send_etag(response, fit)
    return fit


@router.get("")
async def list_fits(
    session: SessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    page: PageDep,
    signer: SignerDep,
    project_id: Annotated[Id | None, Query()] = None,
    dataset_id: Annotated[Id | None, Query()] = None,
    state: Annotated[FitState | None, Query()] = None,
    estimator: Annotated[EstimatorName | None, Query()] = None,
    mine: bool = False,
) -> Page[FitOut]:
    """Fits that the caller may read."""
    filter_by = FitFilter(
        project_id=project_id, dataset_id=dataset_id, state=state, estimator=estimator, mine=mine
    )
    rows, next_cursor = await FitRepository(session, viewer).page(page, signer, filter_by)
    items = [_fit_out(row, settings.urls.mlflow) for row in rows]
    return Page[FitOut](items=items, next_cursor=next_cursor)


@router.get("/{fit_id}")
async def read_fit(
    session: SessionDep, viewer: ViewerDep, settings: SettingsDep, fit_id: Id, response: Response
) -> FitOut:
    """One fit."""
    fit = _fit_out(await FitRepository(session, viewer).get(fit_id), settings.urls.mlflow)
    send_etag(response, fit)
    return fit


@router.patch("/{fit_id}")
async def update_fit(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    fit_id: Id,
    data: FitUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> FitOut:
    """Rename or tag a fit, or move it to another project, where MLflow records it anew."""
    row = await service.writable_fit(session, viewer, fit_id)
    check_match(if_match, _fit_out(row, settings.urls.mlflow))
    await service.update_fit(session, viewer, row, data)
    await moving.move_fit(session, viewer, row, data.project_id)
    fit = _fit_out(row, settings.urls.mlflow)
    send_etag(response, fit)
    return fit


@router.delete("/{fit_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_fit(
    session: SessionDep, viewer: WriterDep, settings: SettingsDep, fit_id: Id, if_match: IfMatchDep
) -> None:
    """Move a fit to the trash; a running one is cancelled."""
    row = await service.writable_fit(session, viewer, fit_id)
    check_match(if_match, _fit_out(row, settings.urls.mlflow))
    await service.trash_fit(session, viewer, row)


@router.post("/{fit_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel_fit(
    session: SessionDep, viewer: WriterDep, settings: SettingsDep, fit_id: Id
) -> FitOut:
    """Cancel a waiting or running fit; its process is killed at once."""
    return _fit_out(await service.cancel_fit(session, viewer, fit_id), settings.urls.mlflow)


@router.post("/{fit_id}/rerun", status_code=status.HTTP_202_ACCEPTED)
async def rerun_fit(
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    fit_id: Id,
    response: Response,
    changes: Annotated[dict[str, Any] | None, Body()] = None,
) -> FitOut:
    """Queue the same fit again, optionally with changes to what was asked."""
    original = await FitRepository(session, viewer).get(fit_id)
    data = service.rerun_request(original, changes or {})
    row = await service.start_fit(
        session, viewer, data, limits=settings.fits, idempotency=idempotency, rerun_of=fit_id
    )
    fit = _fit_out(row, settings.urls.mlflow)
    response.headers["Location"] = f"/api/v1/fits/{fit.id}"
    return fit


@router.get("/{fit_id}/residuals")
async def read_residuals(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    fit_id: Id,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> ResidualPage:
    """Hold-out rows with what was observed and predicted, the worst first."""
    fit = await service.finished_fit(session, viewer, fit_id)
    if "holdout" not in fit.artifacts:
        raise Conflict("This fit used all rows; it has no hold-out.", code="fit_without_holdout")
    blobs = request.app.state.blobs
    return await run_in_threadpool(results.worst_rows, blobs, fit.artifacts["holdout"], limit)


@router.get("/{fit_id}/coefficients")
async def read_coefficients(
    request: Request, session: SessionDep, viewer: ViewerDep, fit_id: Id
) -> CoefficientList:
    """The terms of a linear fit; for ordinary least squares with their tests and intervals."""
    fit = await service.finished_fit(session, viewer, fit_id)
    if "coefficients" not in fit.artifacts:
        raise Conflict("This fit has no coefficients.", code="fit_without_coefficients")
    blobs = request.app.state.blobs
    return await run_in_threadpool(results.read_coefficients, blobs, fit.artifacts["coefficients"])
