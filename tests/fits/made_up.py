"""Fits as rows, without having run: for lists, which need many of all kinds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.science.spec import FitSpec
from backend.tables import Dataset, DatasetVersion, Fit, FitMetric

START = datetime(2026, 11, 1, tzinfo=UTC)


async def make_up_fit(
    sessions: async_sessionmaker[AsyncSession],
    dataset_id: int,
    *,
    metrics: Mapping[str, float] | None = None,
    seconds: float | None = None,
    **columns: Any,
) -> int:
    """A row of a fit; with metrics, or seconds, one that has succeeded."""
    async with sessions() as session:
        dataset = await session.get_one(Dataset, dataset_id)
        version = (
            await session.execute(
                select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
            )
        ).scalar_one()
        fit = Fit(**_row(metrics, seconds, columns))
        fit.project_id, fit.dataset_id = dataset.project_id, dataset_id
        fit.dataset_version_id, fit.created_by = version.id, dataset.created_by
        session.add(fit)
        await session.flush()
        session.add_all(
            FitMetric(fit_id=fit.id, name=name, value=value, project_id=fit.project_id)
            for name, value in (metrics or {}).items()
        )
        await session.commit()
        return fit.id


def _row(
    metrics: Mapping[str, float] | None, seconds: float | None, columns: dict[str, Any]
) -> dict[str, Any]:
    is_done = metrics is not None or seconds is not None
    estimator = columns.get("estimator", "ridge")
    spec = FitSpec(target="y", estimator=estimator, task="regression").model_dump(mode="json")
    return {
        "name": "made up",
        "tags": {},
        "spec": spec,
        "estimator": estimator,
        "target": "y",
        "state": "succeeded" if is_done else "cancelled",
        "attempt": 1,
        "metrics": dict(metrics or {}),
        "main_metric": "r2" if metrics else None,
        "outcome": {
            "metric_spread": {n: {"mean": v, "sd": 0.5} for n, v in (metrics or {}).items()}
        },
        "features": ["x"],
        "started_at": START if is_done else None,
        "finished_at": START + timedelta(seconds=seconds or 0) if is_done else None,
        **columns,
    }


def _spread(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    return {name: {"mean": value, "sd": 0.5} for name, value in metrics.items()}
