"""The catalogue of estimators over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from backend.accounts.dependencies import ViewerDep
from backend.core.errors import Absent
from backend.fits.schemas import EstimatorList, EstimatorOut
from backend.science.catalogue import ESTIMATORS
from backend.science.extras import install_command
from backend.science.spec import Task

router = APIRouter(prefix="/estimators", tags=["fits"])


def _estimator_out(name: str) -> EstimatorOut:
    spec = ESTIMATORS[name]
    return EstimatorOut(
        name=spec.name,
        title=spec.title,
        summary=spec.summary,
        reference=spec.reference,
        tasks=sorted(spec.tasks),
        data=spec.data,
        available=spec.available,
        install=install_command(spec.requires) if spec.requires else None,
        params_schema=spec.Params.model_json_schema(),
        defaults=spec.Params().model_dump(mode="json"),
        presets={name: dict(params) for name, params in spec.presets.items()},
        search_space=spec.search_space,
        has_coefficients=spec.has_coefficients,
        takes_weights=spec.takes_weights,
        most_rows=spec.most_rows,
    )


@router.get("")
async def list_estimators(
    _viewer: ViewerDep,
    task: Annotated[Task | None, Query(description="Only those that do it")] = None,
    data: Annotated[
        Literal["table", "image"] | None, Query(description="Only those that learn from it")
    ] = None,
) -> EstimatorList:
    """What can be fitted, each with the JSON Schema of its parameters."""
    names = [
        name
        for name, spec in sorted(ESTIMATORS.items())
        if (task is None or task in spec.tasks) and (data is None or data == spec.data)
    ]
    return EstimatorList(items=[_estimator_out(name) for name in names])


@router.get("/{name}")
async def read_estimator(_viewer: ViewerDep, name: str) -> EstimatorOut:
    """One estimator."""
    if name not in ESTIMATORS:
        raise Absent("There is no such estimator. GET /api/v1/estimators lists them.")
    return _estimator_out(name)
