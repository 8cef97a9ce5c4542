"""Fits over HTTP: run, watch, cancel, change, read."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import PageDep, ReadSessionDep, SessionDep, SettingsDep, SignerDep
from backend.core.errors import Conflict
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, Page
from backend.fits import moving, organising, results, service
from backend.fits.listing import Listing
from backend.fits.repository import FitRepository
from backend.fits.representation import described, fit_out
from backend.fits.rerunning import rerun_request
from backend.fits.result_schemas import CoefficientList, ResidualPage
from backend.fits.schemas import (
    EstimatorName,
    FitCreate,
    FitFilter,
    FitOut,
    FitSummary,
    FitUpdate,
    SearchText,
    TagFilter,
    UserName,
)
from backend.fits.states import FitState

router = APIRouter(prefix="/fits", tags=["fits"])


FIT_PAGE: dict[int | str, dict[str, Any]] = {200: {"model": Page[FitSummary]}}


async def _filter(
    project_id: Annotated[Id | None, Query()] = None,
    dataset_id: Annotated[Id | None, Query()] = None,
    state: Annotated[FitState | None, Query()] = None,
    estimator: Annotated[EstimatorName | None, Query()] = None,
    leaderboard_id: Annotated[Id | None, Query()] = None,
    tag: Annotated[TagFilter | None, Query(description="`key` or `key=value`")] = None,
    search: Annotated[
        SearchText | None,
        Query(description="Part of name, target, dataset or notes; or a number"),
    ] = None,
    mine: bool = False,
    created_by: Annotated[
        UserName | None, Query(description="The name of the user who started it")
    ] = None,
    starred: bool = False,
    archived: Annotated[bool, Query(description="Only those in the archive")] = False,
    trashed: Annotated[bool, Query(description="Only those that you may restore")] = False,
) -> FitFilter:
    # model_construct: each value was checked as a parameter of its own.
    return FitFilter.model_construct(
        project_id=project_id,
        dataset_id=dataset_id,
        state=state,
        estimator=estimator,
        leaderboard_id=leaderboard_id,
        tag=tag,
        search=search,
        mine=mine,
        created_by=created_by,
        starred=starred,
        archived=archived,
        trashed=trashed,
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
    fit = await described(session, row, settings.urls.mlflow)
    response.headers["Location"] = f"/api/v1/fits/{fit.id}"
    send_etag(response, fit)
    return fit


@router.get("", response_model=None, responses=FIT_PAGE)
async def list_fits(
    session: ReadSessionDep,
    viewer: ViewerDep,
    page: PageDep,
    signer: SignerDep,
    filter_by: Annotated[FitFilter, Depends(_filter)],
) -> Response:
    """Fits that the caller may read; those in the archive or in the trash only where asked for.

    Sorted by `created_at`, `started_at`, `finished_at`, `seconds`, `name`, `estimator`,
    `position`, `main_metric`, or a metric as in `-metrics.r2`; fits without one come last.
    """
    content = await Listing(session, viewer, filter_by).page(page, signer)
    return Response(content, media_type="application/json")


@router.get("/{fit_id}")
async def read_fit(
    session: SessionDep, viewer: ViewerDep, settings: SettingsDep, fit_id: Id, response: Response
) -> FitOut:
    """One fit."""
    fit = await described(
        session, await FitRepository(session, viewer).get(fit_id), settings.urls.mlflow
    )
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
    """Rename, describe, tag or archive a fit, or move it to a project where it is recorded anew."""
    row = await service.writable_fit(session, viewer, fit_id)
    check_match(if_match, fit_out(row, mlflow=settings.urls.mlflow))
    await organising.update_fit(session, viewer, row, data)
    await moving.move_fit(session, viewer, row, data.project_id)
    fit = await described(session, row, settings.urls.mlflow)
    send_etag(response, fit)
    return fit


@router.delete("/{fit_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_fit(
    session: SessionDep, viewer: WriterDep, settings: SettingsDep, fit_id: Id, if_match: IfMatchDep
) -> None:
    """Move a fit to the trash; a running one is cancelled."""
    row = await service.writable_fit(session, viewer, fit_id)
    check_match(if_match, fit_out(row, mlflow=settings.urls.mlflow))
    await organising.trash_fit(session, viewer, row)


@router.post("/{fit_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel_fit(
    session: SessionDep, viewer: WriterDep, settings: SettingsDep, fit_id: Id
) -> FitOut:
    """Cancel a waiting or running fit; its process is killed at once."""
    row = await service.cancel_fit(session, viewer, fit_id)
    return await described(session, row, settings.urls.mlflow)


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
    data = rerun_request(original, changes or {})
    row = await service.start_fit(
        session, viewer, data, limits=settings.fits, idempotency=idempotency, rerun_of=original
    )
    fit = await described(session, row, settings.urls.mlflow)
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
