"""How long a fit will take, by similar ones that ended."""

import math
import statistics
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Float, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.datasets.service import fetch_version
from backend.fits.schemas import EstimateOut, FitCreate
from backend.fits.states import FitState
from backend.tables import DatasetVersion, Fit

CANDIDATES: Final = 60
SIMILAR: Final = 9
# Reading, scoring and storing take about this long, however small the table.
FIXED_SECONDS: Final = 0.1
_LEAST_SECONDS: Final = 0.005


async def estimate_fit(session: AsyncSession, viewer: Viewer, data: FitCreate) -> EstimateOut:
    """For a request that may not be sent at all: only the dataset has to be there."""
    _, version = await fetch_version(session, viewer, data.dataset_id, data.version)
    return await estimate_seconds(session, data, version)


async def estimate_seconds(
    session: AsyncSession, data: FitCreate, version: DatasetVersion
) -> EstimateOut:
    """The median of the most similar fits, each scaled by how much more there is to do.

    Those of all users count: nothing but a time is told of them.
    """
    columns = len(data.features or ()) or max(1, len(version.columns) - 1)
    asked = data.model_dump(mode="json", include={"params", "validation", "search"})
    work = _work(version.rows, columns, asked)
    times = []
    for seconds, rows, features, spec in await session.execute(_finished(data.estimator)):
        ratio = work / _work(rows, features, spec)
        scaled = FIXED_SECONDS + max(seconds - FIXED_SECONDS, _LEAST_SECONDS) * ratio
        times.append((abs(math.log(ratio)), scaled))
    similar = [scaled for _, scaled in sorted(times)[:SIMILAR]]
    if not similar:
        return EstimateOut(seconds=None, fits=0)
    return EstimateOut(seconds=statistics.median(similar), fits=len(similar))


def _finished(estimator: str) -> Any:
    """The newest fits of the estimator that nothing interrupted."""
    seconds = cast(extract("epoch", Fit.finished_at - Fit.started_at), Float)
    return (
        select(seconds, DatasetVersion.rows, func.jsonb_array_length(Fit.features), Fit.spec)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
        .where(Fit.estimator == estimator, Fit.state == FitState.SUCCEEDED.value)
        .where(Fit.attempt == 1, Fit.features.is_not(None))
        .order_by(Fit.id.desc())
        .limit(CANDIDATES)
    )


def _work(rows: int, columns: int, spec: Mapping[str, Any]) -> float:
    """Cells that are learnt from, once for each fold, trial and member of an ensemble."""
    members = spec["params"].get("n_estimators", 100)
    members = members if isinstance(members, int) and members > 0 else 100
    search = spec.get("search")
    trials = search["trials"] * search["folds"] if search else 0
    learnt = _folds(spec["validation"], rows) + trials
    return float(max(1, rows) * max(1, columns) * learnt * members)


def _folds(validation: Mapping[str, Any], rows: int) -> int:
    """How often the estimator learns; folds are followed by all rows together."""
    if validation["kind"] == "leave_one_out":
        return rows + 1
    if "folds" not in validation:
        return 1
    return int(validation["folds"]) * int(validation.get("repeats", 1)) + 1
