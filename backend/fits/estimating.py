"""How long a fit will take, by similar ones that ended."""

import math
import statistics
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Float, Select, case, cast, extract, func, select
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.datasets.service import fetch_version
from backend.fits.checks import asked_params
from backend.fits.repository import FitRepository
from backend.fits.schemas import EstimateOut, FitCreate
from backend.fits.states import FitState
from backend.tables import DatasetVersion, Fit

CANDIDATES: Final = 60
SIMILAR: Final = 9
# So many fits of so many others hide each single one.
FEWEST_OF_OTHERS: Final = 5
FEWEST_OTHERS: Final = 3
# Reading, scoring and storing take about this long, however small the table.
FIXED_SECONDS: Final = 0.1
_LEAST_SECONDS: Final = 0.005
_EFFORT: Final = ("n_estimators", "epochs", "layers", "units")
# Elsewhere it is a bound that is seldom reached.
_GOES_ALL_ROUNDS: Final = frozenset({"hist_gradient_boosting", "multilayer_perceptron"})


async def estimate_fit(session: AsyncSession, viewer: Viewer, data: FitCreate) -> EstimateOut:
    """For a request that may not be sent yet: the dataset must be there, parameters be right."""
    _, version = await fetch_version(session, viewer, data.dataset_id, data.version)
    wanted = {"estimator", "features", "validation", "search"}
    asked = {**data.model_dump(mode="json", include=wanted), "params": asked_params(data)}
    return await estimate_seconds(session, viewer, asked, version)


async def estimate_seconds(
    session: AsyncSession, viewer: Viewer, asked: Mapping[str, Any], version: DatasetVersion
) -> EstimateOut:
    """The median of the most similar fits, each scaled by how much more there is to do.

    Those that the viewer may see. Where there are none those of all users, as long as no single
    one can be told from the answer.
    """
    columns = len(asked["features"] or ()) or max(1, len(version.columns) - 1)
    folds = await _folds_again(session, viewer, asked["validation"])
    work = _work(version.rows, columns, asked, folds)
    finished = _finished(asked["estimator"])
    shown = FitRepository(session, viewer).scoped().with_only_columns(Fit.id)
    similar = await _similar(session, finished.where(Fit.id.in_(shown)), work)
    if similar:
        seconds = statistics.median(seconds for seconds, _ in similar)
        return EstimateOut(seconds=seconds, fits=len(similar))
    similar = await _similar(session, finished, work)
    others = {user_id for _, user_id in similar}
    if len(similar) < FEWEST_OF_OTHERS or len(others) < FEWEST_OTHERS:
        return EstimateOut(seconds=None, fits=0)
    seconds = statistics.median(seconds for seconds, _ in similar)
    return EstimateOut(seconds=float(f"{seconds:.0e}"), fits=0)


async def _similar(
    session: AsyncSession, finished: Select[Any], work: float
) -> list[tuple[float, int]]:
    """How long each of the most similar ones would have taken, and whose it was."""
    times = []
    for seconds, rows, features, spec, folds, user_id in await session.execute(finished):
        ratio = work / _work(rows, features, spec, folds)
        scaled = FIXED_SECONDS + max(seconds - FIXED_SECONDS, _LEAST_SECONDS) * ratio
        times.append((abs(math.log(ratio)), scaled, user_id))
    return [(scaled, user_id) for _, scaled, user_id in sorted(times)[:SIMILAR]]


def _finished(estimator: str) -> Select[Any]:
    """The newest fits of the estimator that nothing interrupted."""
    seconds = cast(extract("epoch", Fit.finished_at - Fit.started_at), Float)
    kind = Fit.spec["validation"]["kind"].astext
    # Only here are folds not in the spec; the outcome is large.
    folds = case((kind == "same_rows", _told_folds()), else_=0)
    features = func.jsonb_array_length(Fit.features)
    return (
        select(seconds, DatasetVersion.rows, features, Fit.spec, folds, Fit.created_by)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
        .where(Fit.estimator == estimator, Fit.state == FitState.SUCCEEDED.value)
        .where(Fit.attempt == 1, Fit.features.is_not(None))
        .order_by(Fit.id.desc())
        .limit(CANDIDATES)
    )


def _told_folds() -> Any:
    """As the fit told them; none where each was a single row."""
    path = cast("$.fold_metrics[*]", JSONPATH)
    return func.jsonb_array_length(func.jsonb_path_query_array(Fit.outcome, path))


async def _folds_again(session: AsyncSession, viewer: Viewer, validation: Mapping[str, Any]) -> int:
    """How many folds the split has that is used again, as `_told_folds`."""
    if validation["kind"] != "same_rows":
        return 0
    named = FitRepository(session, viewer).scoped().where(Fit.id == validation["fit_id"])
    found = await session.execute(named.with_only_columns(_told_folds()))
    folds = found.scalar_one_or_none()
    return 1 if folds is None else int(folds)


def _work(rows: int, columns: int, spec: Mapping[str, Any], folds_again: int) -> float:
    """Cells that are learnt from, once for each fold, trial, member and round."""
    names = (*_EFFORT, "max_iter") if spec["estimator"] in _GOES_ALL_ROUNDS else _EFFORT
    given = (spec["params"].get(name) for name in names)
    effort = math.prod(value for value in given if isinstance(value, int) and value > 0)
    search = spec.get("search")
    trials = search["trials"] * search["folds"] if search else 0
    learnt = _times(spec["validation"], rows, folds_again) + trials
    return float(max(1, rows) * max(1, columns) * learnt * effort)


def _times(validation: Mapping[str, Any], rows: int, folds_again: int) -> int:
    """How often the estimator learns; folds are followed by all rows together."""
    if validation["kind"] == "leave_one_out":
        return rows + 1
    if validation["kind"] == "same_rows":
        return 1 if folds_again == 1 else (folds_again or rows) + 1
    if "folds" not in validation:
        return 1
    return int(validation["folds"]) * int(validation.get("repeats", 1)) + 1
