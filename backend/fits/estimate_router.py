"""How long a fit would take, over HTTP."""

from fastapi import APIRouter

from backend.accounts.dependencies import ReaderDep
from backend.core.deps import ReadSessionDep
from backend.fits import estimating
from backend.fits.schemas import EstimateOut, FitCreate

router = APIRouter(prefix="/fits", tags=["fits"])


@router.post("/estimate")
async def estimate_fit(session: ReadSessionDep, viewer: ReaderDep, data: FitCreate) -> EstimateOut:
    """How long this fit would take, by similar ones; nothing is queued."""
    return await estimating.estimate_fit(session, viewer, data)
