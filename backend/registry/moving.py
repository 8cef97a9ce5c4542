"""Models that go from one project to another with the fits of their versions."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.errors import Conflict
from backend.fits.moving import PartOfModel, take_along
from backend.projects.service import members_changed, require_both_owned
from backend.tables import Fit, Model, ModelVersion, Retraining


async def move_model(session: AsyncSession, viewer: Viewer, model: Model, project_id: int) -> None:
    """The model, which the caller holds locked, and its fits belong to another project."""
    source_id = model.project_id
    await require_both_owned(session, viewer, source_id, project_id)
    await _require_no_retraining(session, model)
    versions = select(ModelVersion.fit_id).where(ModelVersion.model_id == model.id)
    statement = select(Fit).where(Fit.id.in_(versions)).order_by(Fit.id).with_for_update()
    rows = await session.execute(statement.execution_options(populate_existing=True))
    fits = list(rows.scalars())
    await _require_no_other_model(session, model)
    for fit in fits:
        if fit.project_id != source_id:
            raise Conflict(f"Fit {fit.id} belongs to another project than the model.")
    model.project_id = project_id
    await take_along(session, viewer, fits, project_id)
    details = {"from": source_id, "to": project_id, "fits": [fit.id for fit in fits]}
    audit.record(session, viewer, Action.MODEL_MOVED, about(model), details=details)
    # Whoever may not read it any more loses it in MLflow, before its runs are recorded anew.
    await members_changed(session, [source_id, project_id])


async def _require_no_retraining(session: AsyncSession, model: Model) -> None:
    unfinished = select(Retraining.id).where(
        Retraining.model_id == model.id, Retraining.state.in_(("queued", "running"))
    )
    if (await session.execute(unfinished.limit(1))).first() is not None:
        raise Conflict(
            "This model is being retrained. Wait for it, or cancel it; then move it.",
            code="retraining_active",
        )


async def _require_no_other_model(session: AsyncSession, model: Model) -> None:
    """A fit belongs to one project, so both models would have to go."""
    own = select(ModelVersion.fit_id).where(ModelVersion.model_id == model.id)
    statement = (
        select(ModelVersion.fit_id, Model.name)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(ModelVersion.fit_id.in_(own), Model.id != model.id, Model.trashed_at.is_(None))
        .order_by(ModelVersion.fit_id)
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is not None:
        raise PartOfModel(
            f"Fit {row.fit_id} is a version of {row.name} too, so it cannot go along. "
            "Delete one of the two models first."
        )
