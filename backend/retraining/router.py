"""Retraining over HTTP: start, watch, decide, schedule. Administrators retrain; all may look."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from backend.accounts.dependencies import AdminDep, ViewerDep
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import send_etag
from backend.core.idempotency import IdempotencyDep
from backend.core.openapi import multipart_body
from backend.core.schemas import Id, Page
from backend.retraining import schedules, service
from backend.retraining.repository import RetrainingRepository
from backend.retraining.schemas import (
    Decision,
    PolicyOut,
    PolicyUpdate,
    RetrainingFilter,
    RetrainingOut,
    RetrainingState,
    RetrainRequest,
)
from backend.retraining.uploads import read_request, retrain_with_file
from backend.tables import Retraining, RetrainingPolicy

router = APIRouter(tags=["retraining"])

# The challenger's fit takes most of the time, the comparison the rest.
FIT_SHARE = 0.8
RETRAIN_BODY = {
    "requestBody": {
        "content": {
            "application/json": {"schema": RetrainRequest.model_json_schema()},
            **multipart_body(metric="string", minimum_gain="number", require_approval="boolean"),
        }
    }
}


def _progress(row: Retraining) -> tuple[str, float, str]:
    """State, progress and its text over both parts of the work."""
    if row.state == "queued":
        fit = row.fit
        state = "running" if fit.state == "running" else "queued"
        return state, FIT_SHARE * fit.progress, f"Fitting: {fit.progress_message}"
    if row.state == "running":
        return row.state, FIT_SHARE + (1 - FIT_SHARE) * row.progress, row.progress_message
    return row.state, row.progress, row.progress_message


def _retraining_out(row: Retraining) -> RetrainingOut:
    state, progress, message = _progress(row)
    return RetrainingOut.model_validate(
        {
            "id": row.id,
            "model_id": row.model_id,
            "model_name": row.model.name,
            "project_id": row.model.project_id,
            "trigger": row.trigger,
            "state": state,
            "progress": progress,
            "progress_message": message,
            "dataset_id": row.fit.dataset_id,
            "dataset_name": row.fit.dataset.name,
            "dataset_version": row.fit.dataset_version.version,
            "champion_version": row.champion_version,
            "challenger_version": row.challenger_version,
            "fit_id": row.fit_id,
            "metric": row.metric,
            "minimum_gain": row.minimum_gain,
            "require_approval": row.require_approval,
            "evidence": row.evidence,
            "error": row.error,
            "requested_by": row.requester.username,
            "decided_by": None if row.decider is None else row.decider.username,
            "decision_reason": row.decision_reason,
            "created_at": row.created_at,
            "started_at": row.fit.started_at,
            "finished_at": row.finished_at,
        }
    )


@router.post(
    "/models/{model_id}/retrain", status_code=status.HTTP_202_ACCEPTED, openapi_extra=RETRAIN_BODY
)
async def retrain(
    request: Request,
    session: SessionDep,
    viewer: AdminDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    model_id: Id,
    response: Response,
) -> RetrainingOut:
    """Fit the champion's spec on new data, compare on its hold-out, promote what is better."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        row = await retrain_with_file(
            request, session, viewer, model_id, settings=settings, idempotency=idempotency
        )
    else:
        data = await read_request(request, settings.uploads.max_json_bytes)
        row = await service.request_retraining(
            session, viewer, model_id, data, idempotency=idempotency
        )
    response.headers["Location"] = f"/api/v1/retrainings/{row.id}"
    return _retraining_out(row)


@router.get("/retrainings")
async def list_retrainings(
    session: SessionDep,
    viewer: ViewerDep,
    page: PageDep,
    signer: SignerDep,
    model_id: Annotated[Id | None, Query()] = None,
    project_id: Annotated[Id | None, Query()] = None,
    state: Annotated[RetrainingState | None, Query()] = None,
) -> Page[RetrainingOut]:
    """Retrainings of models that the caller may read."""
    filter_by = RetrainingFilter(model_id=model_id, project_id=project_id, state=state)
    rows, next_cursor = await RetrainingRepository(session, viewer).page(page, signer, filter_by)
    items = [_retraining_out(row) for row in rows]
    return Page[RetrainingOut](items=items, next_cursor=next_cursor)


@router.get("/retrainings/{retraining_id}")
async def read_retraining(
    session: SessionDep, viewer: ViewerDep, retraining_id: Id, response: Response
) -> RetrainingOut:
    """One retraining with its evidence."""
    row = _retraining_out(await RetrainingRepository(session, viewer).get(retraining_id))
    send_etag(response, row)
    return row


@router.post("/retrainings/{retraining_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel_retraining(
    session: SessionDep, viewer: AdminDep, retraining_id: Id
) -> RetrainingOut:
    """Cancel a waiting or running retraining with its fit."""
    return _retraining_out(await service.cancel(session, viewer, retraining_id))


@router.post("/retrainings/{retraining_id}/approve")
async def approve_retraining(
    session: SessionDep, viewer: AdminDep, retraining_id: Id, data: Decision
) -> RetrainingOut:
    """Promote a challenger that waits for approval."""
    return _retraining_out(await service.approve(session, viewer, retraining_id, data))


@router.post("/retrainings/{retraining_id}/reject")
async def reject_retraining(
    session: SessionDep, viewer: AdminDep, retraining_id: Id, data: Decision
) -> RetrainingOut:
    """Leave the champion where it is."""
    return _retraining_out(await service.reject(session, viewer, retraining_id, data))


async def _policy_out(session: SessionDep, policy: RetrainingPolicy) -> PolicyOut:
    return PolicyOut.model_validate(
        {
            "dataset_id": policy.dataset_id,
            "dataset_name": policy.dataset.name,
            "schedule": policy.schedule,
            "timezone": policy.timezone,
            "metric": policy.metric,
            "minimum_gain": policy.minimum_gain,
            "require_approval": policy.require_approval,
            "next_runs": await schedules.describe_runs(session, policy),
            "last_problem": policy.last_problem,
            "updated_by": policy.author.username,
            "updated_at": policy.updated_at,
        }
    )


@router.get("/models/{model_id}/retraining")
async def read_policy(session: SessionDep, viewer: ViewerDep, model_id: Id) -> PolicyOut:
    """When and how the model is retrained by itself; 404 where it is not."""
    return await _policy_out(session, await schedules.readable_policy(session, viewer, model_id))


@router.put("/models/{model_id}/retraining")
async def set_policy(
    session: SessionDep, viewer: AdminDep, model_id: Id, data: PolicyUpdate
) -> PolicyOut:
    """Say when and how the model is retrained by itself."""
    return await _policy_out(session, await schedules.set_policy(session, viewer, model_id, data))


@router.delete("/models/{model_id}/retraining", status_code=status.HTTP_204_NO_CONTENT)
async def remove_policy(session: SessionDep, viewer: AdminDep, model_id: Id) -> None:
    """No more retraining by itself."""
    await schedules.remove_policy(session, viewer, model_id)
