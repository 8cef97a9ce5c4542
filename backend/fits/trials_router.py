"""The trials of a fit's search over HTTP."""

from fastapi import APIRouter

from backend.accounts.dependencies import ViewerDep
from backend.core.deps import SessionDep
from backend.core.schemas import Id
from backend.fits import trials
from backend.fits.result_schemas import TrialList

router = APIRouter(prefix="/fits", tags=["fits"])


@router.get("/{fit_id}/trials")
async def read_trials(session: SessionDep, viewer: ViewerDep, fit_id: Id) -> TrialList:
    """What the search of a fit has tried, also while it runs; of the newest attempt."""
    return await trials.list_trials(session, viewer, fit_id)
