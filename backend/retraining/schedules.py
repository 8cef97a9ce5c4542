"""When models are retrained by themselves."""

import logging
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from croniter import croniter
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import SYSTEM, Role, Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import AppError, field_error
from backend.core.idempotency import Idempotency
from backend.datasets.service import fetch_version
from backend.registry.repository import ModelRepository
from backend.registry.service import writable_model
from backend.retraining.checks import chosen_metric, require_fitting_data
from backend.retraining.repository import PolicyRepository
from backend.retraining.schemas import PolicyUpdate, RetrainRequest
from backend.retraining.service import champion_of, request_retraining
from backend.tables import RetrainingPolicy

_log = logging.getLogger(__name__)
SHOWN_RUNS: Final = 3


def next_runs(schedule: str, zone: str, after: datetime, *, count: int = 1) -> list[datetime]:
    """The moments of a cron schedule, on the clock of its zone, strictly after a moment.

    Counted on the clock's face: a time that comes twice when the clock is set back fires once,
    the first time; one that is skipped when it is set forward fires that much later.
    """
    local = ZoneInfo(zone)
    face = croniter(schedule, after.astimezone(local).replace(tzinfo=None))
    runs: list[datetime] = []
    while len(runs) < count:
        moment = face.get_next(datetime).replace(tzinfo=local).astimezone(UTC)
        if moment > after:
            runs.append(moment)
    return runs


async def set_policy(
    session: AsyncSession, viewer: Viewer, model_id: int, data: PolicyUpdate
) -> RetrainingPolicy:
    """Say when and how a model is retrained; refused where it could not work today."""
    model = await writable_model(session, viewer, model_id)
    champion = await champion_of(session, viewer, model)
    dataset, version = await fetch_version(session, viewer, data.dataset_id, None)
    if dataset.project_id != model.project_id:
        raise field_error("dataset_id", msg="the dataset belongs to another project")
    require_fitting_data(version.columns, version.rows, champion.fit.outcome, "dataset_id")
    chosen_metric(data.metric, champion.fit.outcome["task"], champion.fit.metrics)
    now = await database_time(session)
    policy = await PolicyRepository(session, viewer).find(model_id)
    if policy is None:
        policy = RetrainingPolicy(model_id=model_id)
        session.add(policy)
    for name, value in data.model_dump().items():
        setattr(policy, name, value)
    policy.next_run_at = _next(policy, now)
    policy.last_problem = None
    policy.updated_by, policy.updated_at = viewer.user_id, now
    details = data.model_dump(mode="json")
    audit.record(session, viewer, Action.POLICY_SET, about(model), details=details)
    await session.flush()
    return await PolicyRepository(session, viewer).get(model_id)


def _next(policy: RetrainingPolicy, after: datetime) -> datetime | None:
    if policy.schedule is None:
        return None
    return next_runs(policy.schedule, policy.timezone, after)[0]


async def remove_policy(session: AsyncSession, viewer: Viewer, model_id: int) -> None:
    """No more retraining by itself."""
    model = await writable_model(session, viewer, model_id)
    await session.delete(await PolicyRepository(session, viewer).get(model_id))
    audit.record(session, viewer, Action.POLICY_REMOVED, about(model))
    await session.flush()


async def start_next_due(session: AsyncSession) -> bool:
    """Start one retraining whose time has come; False when none is left.

    Its next time moves in the same transaction, so a moment fires once however many workers
    look; moments that passed while no worker ran count as one.
    """
    policies = PolicyRepository(session, SYSTEM)
    model_id = await policies.find_due_model()
    if model_id is None:
        return False
    # The model first, as whoever changes its policy does; then see what is left to do.
    await ModelRepository(session, SYSTEM).get(model_id, for_update=True)
    policy = await policies.find_due(model_id)
    if policy is None:
        return True
    policy.next_run_at = _next(policy, await database_time(session))
    author = policy.author
    data = RetrainRequest(
        dataset_id=policy.dataset_id,
        metric=policy.metric,
        minimum_gain=policy.minimum_gain,
        require_approval=policy.require_approval,
    )
    problem: str | None = None
    if author.platform_role is not Role.ADMIN or author.disabled_at is not None:
        problem = f"{author.username}, who set the schedule, is no administrator any more."
    else:
        asker = Viewer(user_id=author.id, username=author.username, role=Role.ADMIN)
        problem = await _try(session, asker, model_id, data)
    policy.last_problem = problem
    if problem is not None:
        _log.warning("retraining not started", extra={"model_id": model_id, "reason": problem})
    await session.flush()
    return True


async def _try(
    session: AsyncSession, asker: Viewer, model_id: int, data: RetrainRequest
) -> str | None:
    try:
        async with session.begin_nested():
            once = Idempotency(route="schedule", key=None)
            await request_retraining(
                session, asker, model_id, data, idempotency=once, trigger="schedule"
            )
    except AppError as error:
        return error.detail
    return None


async def describe_runs(session: AsyncSession, policy: RetrainingPolicy) -> list[datetime]:
    """The next moments, for people."""
    if policy.schedule is None:
        return []
    now = await database_time(session)
    return next_runs(policy.schedule, policy.timezone, now, count=SHOWN_RUNS)


async def readable_policy(session: AsyncSession, viewer: Viewer, model_id: int) -> RetrainingPolicy:
    """The policy of a model that the viewer may read."""
    await ModelRepository(session, viewer).get(model_id)
    return await PolicyRepository(session, viewer).get(model_id)
