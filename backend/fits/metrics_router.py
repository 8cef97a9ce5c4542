"""The metrics over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.accounts.dependencies import ViewerDep
from backend.fits.metric_schemas import MetricList, MetricOut
from backend.science.metrics import METRICS
from backend.science.spec import Task

router = APIRouter(prefix="/metrics", tags=["fits"])


@router.get("")
async def list_metrics(
    _viewer: ViewerDep,
    task: Annotated[Task | None, Query(description="Only those of this task")] = None,
) -> MetricList:
    """All metrics that fits are scored with, and their directions."""
    return MetricList(
        items=[
            MetricOut(
                name=spec.name,
                title=spec.title,
                tasks=sorted(spec.tasks),
                greater_is_better=spec.greater_is_better,
                description=spec.description,
            )
            for spec in METRICS.values()
            if task is None or task in spec.tasks
        ]
    )
