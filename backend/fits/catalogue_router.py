"""The catalogue of estimators over HTTP."""

from fastapi import APIRouter

from backend.accounts.dependencies import ViewerDep
from backend.core.errors import Absent
from backend.fits.schemas import EstimatorList, EstimatorOut
from backend.science.catalogue import ESTIMATORS
from backend.science.extras import install_command

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
    )


@router.get("")
async def list_estimators(_viewer: ViewerDep) -> EstimatorList:
    """What can be fitted, each with the JSON Schema of its parameters."""
    return EstimatorList(items=[_estimator_out(name) for name in sorted(ESTIMATORS)])


@router.get("/{name}")
async def read_estimator(_viewer: ViewerDep, name: str) -> EstimatorOut:
    """One estimator."""
    if name not in ESTIMATORS:
        raise Absent("There is no such estimator. GET /api/v1/estimators lists them.")
    return _estimator_out(name)
