"""Starting retrainings, and deciding about what they found."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, Subject, about
from backend.core.db import database_time
from backend.core.errors import Conflict, field_error
from backend.core.idempotency import Idempotency, fingerprint
from backend.datasets.service import fetch_version
from backend.fits.repository import FitRepository
from backend.fits.service import cancel_fit, enqueue_run
from backend.fits.states import FINAL_STATES, FitState
from backend.registry.repository import ModelVersionRepository
from backend.registry.schemas import CHAMPION, AliasUpdate
from backend.registry.service import current_alias, set_alias, writable_model
from backend.retraining.checks import chosen_metric, require_fitting_data
from backend.retraining.repository import RetrainingRepository
from backend.retraining.schemas import Decision, RetrainRequest, Trigger
from backend.retraining.states import State, advance
from backend.science.spec import FitSpec
from backend.tables import DatasetVersion, Fit, Model, ModelVersion, Retraining

EVALUATE: Final = "retraining.evaluate"


async def champion_of(session: AsyncSession, viewer: Viewer, model: Model) -> ModelVersion:
    """The version that a challenger has to beat, with its fit."""
    number = current_alias(model, CHAMPION)
    if number is None:
        raise Conflict(
            f"{model.name} has no champion yet. Promote a version first.",
            code="model_without_alias",
        )
    champion = await ModelVersionRepository(session, viewer).get(model.id, number)
    if "holdout" not in champion.fit.artifacts:
        raise Conflict(
            "The champion used all rows, so there is no hold-out to compare on. "
            "Promote a version that was fitted with one.",
            code="fit_without_holdout",
        )
    if champion.fit.dataset.purged_at is not None:
        raise Conflict(
            "The data that the champion learnt from was purged, so there are no rows to compare "
            "on. Promote a version whose data is there.",
            code="dataset_purged",
        )
    return champion


async def retrainable_model(session: AsyncSession, viewer: Viewer, model_id: int) -> Model:
    """A model that is not being retrained, locked until the transaction ends."""
    model = await writable_model(session, viewer, model_id)
    active = await RetrainingRepository(session, viewer).find_active(model_id)
    if active is not None:
        raise Conflict(
            f"Retraining {active.id} of this model is not finished. Wait for it, or cancel it.",
            code="retraining_active",
        )
    return model


async def request_retraining(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    data: RetrainRequest,
    *,
    idempotency: Idempotency,
    trigger: Trigger = "manual",
) -> Retraining:
    """Retrain with a dataset version that is there already."""
    retrainings = RetrainingRepository(session, viewer)
    content = fingerprint([model_id, data.model_dump(mode="json")])
    made = await idempotency.find(session, viewer, content)
    if made is not None:
        return await retrainings.get(made)
    model = await retrainable_model(session, viewer, model_id)
    champion = await champion_of(session, viewer, model)
    dataset_id = data.dataset_id or champion.fit.dataset_id
    dataset, version = await fetch_version(session, viewer, dataset_id, data.version)
    # The model, or its data, may have been moved since; who sees both goes on as before.
    is_own = trigger == "schedule" or dataset.id == champion.fit.dataset_id
    if dataset.project_id != model.project_id and not is_own:
        raise field_error("dataset_id", msg="the dataset belongs to another project")
    row = await start(
        session, viewer, model, champion, version, data, trigger=trigger, place="version"
    )
    await idempotency.remember(session, viewer, content, row.id)
    return row


async def start(
    session: AsyncSession,
    viewer: Viewer,
    model: Model,
    champion: ModelVersion,
    version: DatasetVersion,
    data: RetrainRequest,
    *,
    trigger: Trigger = "manual",
    place: str = "file",
) -> Retraining:
    """Queue the challenger's fit; its end queues the comparison."""
    fit = champion.fit
    require_fitting_data(version.columns, version.rows, fit.outcome, place)
    metric = chosen_metric(data.metric, fit.outcome["task"], fit.metrics)
    challenger = await _add_challenger(session, viewer, model, fit, version)
    retraining = Retraining(
        model_id=model.id,
        trigger=trigger,
        dataset_version_id=version.id,
        champion_version=champion.version,
        fit_id=challenger.id,
        metric=metric,
        minimum_gain=data.minimum_gain,
        require_approval=data.require_approval,
        requested_by=viewer.user_id,
    )
    session.add(retraining)
    await session.flush()
    details = {"trigger": trigger, "fit_id": challenger.id, "champion_version": champion.version}
    _record(session, viewer, Action.RETRAINING_STARTED, retraining.id, model, details)
    return await RetrainingRepository(session, viewer).get(retraining.id)


def _record(
    session: AsyncSession,
    viewer: Viewer,
    action: Action,
    retraining_id: int,
    model: Model,
    details: dict[str, Any],
) -> None:
    """A retraining goes by the name of its model."""
    subject = Subject("retraining", retraining_id, model.name, model.project_id)
    audit.record(session, viewer, action, subject, details={"model_id": model.id, **details})


async def _add_challenger(
    session: AsyncSession, viewer: Viewer, model: Model, champion: Fit, version: DatasetVersion
) -> Fit:
    """An ordinary fit of the champion's spec, kept from the rows it will be compared on."""
    spec = FitSpec.model_validate(champion.spec)
    features = [column["name"] for column in champion.outcome["input_columns"]]
    learnt_from = await session.get_one(
        DatasetVersion, champion.dataset_version_id, populate_existing=True
    )
    fit = Fit(
        project_id=model.project_id,
        dataset_id=version.dataset_id,
        dataset_version_id=version.id,
        name=f"{model.name}, retrained",
        tags={"model": model.name},
        spec=spec.model_copy(
            update={"features": tuple(features), "task": champion.outcome["task"]}
        ).model_dump(mode="json"),
        estimator=champion.estimator,
        target=champion.target,
        continuation=EVALUATE,
        withheld={
            "table": learnt_from.parquet_sha256,
            "columns": learnt_from.columns,
            "holdout": champion.artifacts["holdout"],
            "names": [*features, champion.target],
        },
        created_by=viewer.user_id,
    )
    session.add(fit)
    await session.flush()
    await enqueue_run(session, fit)
    details = {"dataset_id": version.dataset_id, "version": version.version}
    audit.record(session, viewer, Action.FIT_STARTED, about(fit), details=details)
    return fit


async def cancel(session: AsyncSession, viewer: Viewer, retraining_id: int) -> Retraining:
    """Cancel at once, with the challenger's fit; what was found so far is not kept."""
    retrainings = RetrainingRepository(session, viewer)
    row = await retrainings.get(retraining_id, for_update=True)
    row.state = advance(row.state, State.CANCELLED)
    row.progress_message = f"Cancelled by {viewer.username}"
    row.finished_at = await database_time(session)
    _record(session, viewer, Action.RETRAINING_CANCELLED, row.id, row.model, {})
    await session.flush()
    # Locked before it is looked at: it may end at this moment.
    fit = await FitRepository(session, viewer).find(row.fit_id, for_update=True)
    if fit is not None and FitState(fit.state) not in FINAL_STATES:
        await cancel_fit(session, viewer, fit.id)
    return await retrainings.get(retraining_id)


async def approve(
    session: AsyncSession, viewer: Viewer, retraining_id: int, data: Decision
) -> Retraining:
    """Promote a challenger that waits for it."""
    return await _decide(session, viewer, retraining_id, State.PROMOTED, data.reason)


async def reject(
    session: AsyncSession, viewer: Viewer, retraining_id: int, data: Decision
) -> Retraining:
    """Leave the champion where it is."""
    return await _decide(session, viewer, retraining_id, State.REJECTED, data.reason)


async def _decide(
    session: AsyncSession, viewer: Viewer, retraining_id: int, to: State, reason: str
) -> Retraining:
    retrainings = RetrainingRepository(session, viewer)
    row = await retrainings.get(retraining_id, for_update=True)
    state = advance(row.state, to)
    if to is State.PROMOTED:
        await promote(session, viewer, row, reason)
    row = await retrainings.get(retraining_id, for_update=True)
    row.state = state
    row.progress_message = "Done"
    row.decision_reason = reason
    row.decided_by = viewer.user_id
    deed = Action.RETRAINING_APPROVED if to is State.PROMOTED else Action.RETRAINING_REJECTED
    _record(session, viewer, deed, row.id, row.model, {"reason": reason})
    await session.flush()
    return await retrainings.get(retraining_id)


class ChampionChanged(Conflict):
    """Another version became champion meanwhile"""

    code = "champion_changed"


async def promote(session: AsyncSession, viewer: Viewer, row: Retraining, reason: str) -> None:
    """Make the challenger champion, unless somebody changed the champion meanwhile."""
    model = await writable_model(session, viewer, row.model_id)
    now = current_alias(model, CHAMPION)
    if now != row.champion_version or row.challenger_version is None:
        raise ChampionChanged(
            f"The evidence is about version {row.champion_version}, but the champion is "
            f"{'none' if now is None else f'version {now}'} now. Retrain again, or promote by hand."
        )
    change = AliasUpdate(version=row.challenger_version, reason=reason)
    await set_alias(session, viewer, row.model_id, CHAMPION, change, kind="retraining")
