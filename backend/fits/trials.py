"""The trials of a search, as rows: kept while they run, read at any time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict
from backend.fits.events import storable_content
from backend.fits.repository import FitRepository
from backend.fits.result_schemas import TrialList, TrialOut
from backend.fits.target_checks import known_task
from backend.science.column_types import ColumnDescription
from backend.science.metrics import MetricSpec, main_metric
from backend.science.spec import Task
from backend.tables import DatasetVersion, Fit, FitTrial

TOLD_LATER: Final = ("state", "score", "spread", "seconds", "message")


class FitWithoutSearch(Conflict):
    """This fit did not search for parameters"""

    code = "fit_without_search"


async def save_trials(
    session: AsyncSession, fit_id: int, attempt: int, trials: Sequence[Mapping[str, Any]]
) -> None:
    """Keep what trials told last; the caller has asked whether the attempt is the newest."""
    # One statement cannot change a row twice.
    newest = {trial["number"]: storable_content(trial) for trial in trials}
    rows = [
        {
            "fit_id": fit_id,
            "attempt": attempt,
            "number": number,
            "params": trial["params"],
            **{name: trial.get(name) for name in TOLD_LATER},
        }
        for number, trial in newest.items()
    ]
    if not rows:
        return
    statement = insert(FitTrial).values(rows)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["fit_id", "attempt", "number"],
            set_={name: statement.excluded[name] for name in TOLD_LATER},
        )
    )


async def list_trials(session: AsyncSession, viewer: Viewer, fit_id: int) -> TrialList:
    """The trials of the newest attempt that has any, each with the best score up to it."""
    fit = await FitRepository(session, viewer).get_results(fit_id)
    if fit.spec.get("search") is None:
        raise FitWithoutSearch("This fit did not search for parameters.")
    metric = await _searched_metric(session, fit)
    newest = select(func.max(FitTrial.attempt)).where(FitTrial.fit_id == fit_id)
    statement = (
        select(FitTrial)
        .where(FitTrial.fit_id == fit_id, FitTrial.attempt == newest.scalar_subquery())
        .order_by(FitTrial.number)
    )
    rows = (await session.execute(statement)).scalars()
    return _ranked(rows, metric)


def _ranked(rows: Iterable[FitTrial], metric: MetricSpec) -> TrialList:
    items: list[TrialOut] = []
    best: tuple[float, int] | None = None
    sign = 1.0 if metric.greater_is_better else -1.0
    for row in rows:
        # A trial that was stopped early was scored on less than the others.
        score = row.score if row.state == "scored" else None
        if score is not None and (best is None or sign * score > sign * best[0]):
            best = (score, row.number)
        items.append(
            TrialOut(
                number=row.number,
                params=row.params,
                state=row.state,
                score=row.score,
                spread=row.spread,
                seconds=row.seconds,
                message=row.message,
                best_so_far=best[0] if best else None,
            )
        )
    return TrialList(
        items=items,
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        best_number=best[1] if best else None,
    )


async def _searched_metric(session: AsyncSession, fit: Fit) -> MetricSpec:
    """The one that the fit says, or will say once it has read its target."""
    named = fit.main_metric or fit.spec.get("main_metric")
    task = cast("Task | None", fit.task or fit.spec["task"])
    if named is None and task is None:
        version = select(DatasetVersion.columns).where(DatasetVersion.id == fit.dataset_version_id)
        columns = (await session.execute(version)).scalar_one()
        target = next(ColumnDescription(**c) for c in columns if c["name"] == fit.target)
        task = known_task(target, None)
    return main_metric(task or "regression", named)
