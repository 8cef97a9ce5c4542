"""Starting, changing and reading fits."""

from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import (
    Conflict,
    FieldProblem,
    TooManyRequests,
    Unprocessable,
    field_error,
)
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.service import fetch_version
from backend.fits.repository import FitRepository
from backend.fits.schemas import FitCreate, FitPayload, FitUpdate, TrackPayload
from backend.fits.states import FitState, advance
from backend.jobs import queue
from backend.projects.service import require_editor
from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import LABEL
from backend.science.extras import ExtraMissing
from backend.science.spec import FitSpec
from backend.settings import FitSettings
from backend.tables import DatasetVersion, Fit

RUN_FIT = "fits.run"
TRACK_FIT = "fits.track"
# Recording goes after fitting: somebody waits for the fit.
FIT_PRIORITY = 10
TRACK_PRIORITY = 5


def _validated_params(estimator: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with defaults filled in, or a 422 that names each bad one."""
    spec = ESTIMATORS.get(estimator)
    if spec is None:
        known = ", ".join(sorted(ESTIMATORS))
        raise field_error("estimator", msg=f"unknown estimator; known are {known}")
    try:
        return spec.Params.model_validate(params).model_dump(mode="json")
    except ValidationError as error:
        problems = [
            FieldProblem(
                loc=["body", "params", *entry["loc"]], msg=entry["msg"], type=entry["type"]
            )
            for entry in error.errors()
        ]
        where = ".".join(str(part) for part in problems[0]["loc"][1:])
        raise Unprocessable(f"{where}: {problems[0]['msg']}", errors=problems) from None


def _check_columns(data: FitCreate, version: DatasetVersion) -> None:
    """Names in the request must be columns of the version."""
    known = {column["name"] for column in version.columns}
    if data.target not in known:
        raise field_error("target", msg=f"the dataset has no column {data.target!r}")
    for position, name in enumerate(data.features or ()):
        if name not in known:
            raise field_error("features", position, msg=f"the dataset has no column {name!r}")
        if name == data.target:
            raise field_error("features", position, msg="the target cannot be a feature")
    if data.features is not None and len(set(data.features)) < len(data.features):
        raise field_error("features", msg="a feature stands twice")


def _spec(data: FitCreate) -> FitSpec:
    """What the fit process gets."""
    params = _validated_params(data.estimator, data.params)
    if data.task is not None and data.task not in ESTIMATORS[data.estimator].tasks:
        raise field_error("task", msg=f"{data.estimator} does not do {data.task}")
    return FitSpec(
        target=data.target,
        features=None if data.features is None else tuple(data.features),
        task=data.task,
        estimator=data.estimator,
        params=params,
        validation=data.validation,
        seed=data.seed,
    )


def _check_kind(data: FitCreate, kind: str) -> None:
    """The estimator must learn from what the dataset holds, and be installed."""
    estimator = ESTIMATORS[data.estimator]
    if estimator.data != kind:
        holds = {"table": "a table", "image": "images"}
        msg = f"{estimator.title} learns from {holds[estimator.data]}, the dataset is {holds[kind]}"
        raise field_error("estimator", msg=msg)
    if kind == "image" and data.target != LABEL:
        raise field_error("target", msg=f"of images the {LABEL} is predicted")
    if estimator.requires is not None and not estimator.available:
        raise field_error("estimator", msg=str(ExtraMissing(estimator.requires)))


async def start_fit(
    session: AsyncSession,
    viewer: Viewer,
    data: FitCreate,
    *,
    limits: FitSettings,
    idempotency: Idempotency,
    rerun_of: int | None = None,
) -> Fit:
    """Queue a fit; the job exists if and only if the row does."""
    fits = FitRepository(session, viewer)
    content = fingerprint(data.model_dump(mode="json"))
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await fits.get(made)
    dataset, version = await fetch_version(session, viewer, data.dataset_id, data.version)
    await require_editor(session, viewer, dataset.project_id)
    _check_columns(data, version)
    spec = _spec(data)
    _check_kind(data, dataset.kind)
    if await fits.count_active() >= limits.max_active_per_user:
        raise TooManyRequests(
            f"You have {limits.max_active_per_user} unfinished fits. Wait for one, or cancel one.",
            headers={"Retry-After": "10"},
        )
    fit = Fit(
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        dataset_version_id=version.id,
        name=data.name or f"{data.target} by {ESTIMATORS[data.estimator].title}",
        tags=dict(data.tags),
        spec=spec.model_dump(mode="json"),
        estimator=data.estimator,
        target=data.target,
        created_by=viewer.user_id,
    )
    session.add(fit)
    await session.flush()
    await enqueue_run(session, fit)
    details = {"dataset_id": dataset.id, "version": version.version}
    if rerun_of is not None:
        details["rerun_of"] = rerun_of
    audit.record(session, viewer, Action.FIT_STARTED, about(fit), details=details)
    await idempotency.remember(session, viewer, content, fit.id)
    return await fits.get(fit.id)


async def enqueue_run(session: AsyncSession, fit: Fit) -> None:
    """Queue the work of a fit, unless it is queued already."""
    payload = FitPayload(fit_id=fit.id)
    job_id = await queue.enqueue(session, RUN_FIT, payload, key=str(fit.id), priority=FIT_PRIORITY)
    if job_id is not None:
        fit.job_id = job_id
        await session.flush()


async def enqueue_tracking(session: AsyncSession, fit: Fit) -> None:
    """Queue the recording of a finished fit, unless it is queued already."""
    payload = TrackPayload(fit_id=fit.id)
    await queue.enqueue(session, TRACK_FIT, payload, key=str(fit.id), priority=TRACK_PRIORITY)


async def enqueue_continuation(session: AsyncSession, fit: Fit) -> None:
    """Queue what follows a fit that ended, in the transaction that ended it."""
    if fit.continuation is not None:
        payload = FitPayload(fit_id=fit.id)
        await queue.enqueue(
            session, fit.continuation, payload, key=str(fit.id), priority=FIT_PRIORITY
        )


async def writable_fit(
    session: AsyncSession, viewer: Viewer, fit_id: int, *, also_archived: bool = False
) -> Fit:
    """A fit that the viewer may change, locked until the transaction ends."""
    fit = await FitRepository(session, viewer).get(fit_id, for_update=True)
    await require_editor(session, viewer, fit.project_id, also_archived=also_archived)
    return fit


async def cancel_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """Cancel at once, waiting or running.

    The state is final with this transaction; the worker is notified by its commit, kills the
    child, and whatever the child still sends is refused by the state.
    """
    fit = await writable_fit(session, viewer, fit_id, also_archived=True)
    fit.state = advance(FitState(fit.state), FitState.CANCELLED)
    fit.progress_message = f"Cancelled by {viewer.username}"
    fit.finished_at = await database_time(session)
    if fit.job_id is not None:
        await queue.cancel(session, fit.job_id)
    audit.record(session, viewer, Action.FIT_CANCELLED, about(fit))
    await session.flush()
    await enqueue_continuation(session, fit)
    return fit


def rerun_request(fit: Fit, changes: dict[str, Any]) -> FitCreate:
    """What was asked then, with changes; refused where the changes make no sense."""
    spec = FitSpec.model_validate(fit.spec)
    request: dict[str, Any] = {
        "dataset_id": fit.dataset_id,
        "version": fit.dataset_version.version,
        "target": spec.target,
        "features": None if spec.features is None else list(spec.features),
        "task": spec.task,
        "estimator": spec.estimator,
        "params": spec.params,
        "validation": spec.validation.model_dump(mode="json"),
        "seed": spec.seed,
        "tags": fit.tags,
    }
    if "estimator" in changes and "params" not in changes:
        request["params"] = {}
    if "dataset_id" in changes and "version" not in changes:
        request["version"] = None
    try:
        return FitCreate.model_validate({**request, **changes})
    except ValidationError as error:
        problems = [
            FieldProblem(loc=["body", *entry["loc"]], msg=entry["msg"], type=entry["type"])
            for entry in error.errors()
        ]
        raise Unprocessable(problems[0]["msg"], errors=problems) from None


async def update_fit(session: AsyncSession, viewer: Viewer, fit: Fit, data: FitUpdate) -> None:
    """Rename or tag."""
    changes = data.model_dump(exclude={"project_id"}, exclude_unset=True, exclude_none=True)
    details = audit.assign(fit, changes)
    if details:
        audit.record(session, viewer, Action.FIT_UPDATED, about(fit), details=details)
    await session.flush()


async def trash_fit(session: AsyncSession, viewer: Viewer, fit: Fit) -> None:
    """Out of sight; an unfinished one is cancelled first."""
    if FitState(fit.state) in (FitState.QUEUED, FitState.RUNNING):
        await cancel_fit(session, viewer, fit.id)
    fit.trashed_at = await database_time(session)
    audit.record(session, viewer, Action.FIT_TRASHED, about(fit))
    await session.flush()


async def finished_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """A fit that has results."""
    fit = await FitRepository(session, viewer).get_results(fit_id)
    if fit.state != FitState.SUCCEEDED:
        raise Conflict(
            f"This fit is {fit.state}; it has no results{' yet' if not fit.finished_at else ''}.",
            code="fit_without_results",
        )
    return fit
