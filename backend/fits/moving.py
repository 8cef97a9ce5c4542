"""Fits that go from one project to another, and are recorded anew there."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.errors import Conflict
from backend.fits.service import enqueue_tracking
from backend.fits.states import FINAL_STATES, FitState
from backend.projects.service import require_both_owned
from backend.tables import Fit, Model, ModelVersion


class PartOfModel(Conflict):
    """This fit is a version of a model"""

    code = "part_of_model"


class FitUnfinished(Conflict):
    """This fit is not finished"""

    code = "fit_unfinished"


async def move_fit(session: AsyncSession, viewer: Viewer, fit: Fit, project_id: int | None) -> None:
    """Take a finished fit to another project of the viewer's; its dataset stays where it is."""
    if project_id is None or project_id == fit.project_id:
        return
    await require_both_owned(session, viewer, fit.project_id, project_id)
    if FitState(fit.state) not in FINAL_STATES:
        raise FitUnfinished(f"This fit is {fit.state}. Wait for it, or cancel it; then move it.")
    await _require_no_model(session, fit)
    await take_along(session, viewer, [fit], project_id)


async def _require_no_model(session: AsyncSession, fit: Fit) -> None:
    statement = (
        select(Model.name)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .where(ModelVersion.fit_id == fit.id, Model.trashed_at.is_(None))
        .order_by(Model.id)
        .limit(1)
    )
    name = (await session.execute(statement)).scalar_one_or_none()
    if name is not None:
        raise PartOfModel(f"This fit is a version of {name}. Move the model: it takes it along.")


async def take_along(
    session: AsyncSession, viewer: Viewer, fits: Sequence[Fit], project_id: int
) -> None:
    """The rows are moved; MLflow's run of each follows: withdrawn at once, then recorded anew."""
    for fit in fits:
        details = {"from": fit.project_id, "to": project_id}
        fit.project_id = project_id
        fit.tracking = "pending"
        fit.mlflow_run_id = fit.mlflow_experiment_id = None
        audit.record(session, viewer, Action.FIT_MOVED, about(fit), details=details)
        if fit.state == FitState.SUCCEEDED:
            # Whoever reads only the old project loses the run: `fits/withdrawing.py`.
            fit.moves += 1
            await session.flush()
            await enqueue_tracking(session, fit)
    await session.flush()
