"""Keeping fits in order over HTTP: stars, the way out of the trash, several at once."""

from fastapi import APIRouter, Response, status

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import SessionDep, SettingsDep
from backend.core.etag import send_etag
from backend.core.schemas import Id
from backend.fits import organising
from backend.fits.representation import fit_out
from backend.fits.schemas import BulkOut, BulkRequest, FitOut

router = APIRouter(prefix="/fits", tags=["fits"])


@router.post("/bulk")
async def change_fits(session: SessionDep, viewer: ViewerDep, data: BulkRequest) -> BulkOut:
    """One action over several fits: all or none. A star is yours alone; readers may set it too."""
    return await organising.change_all(session, viewer, data)


@router.put("/{fit_id}/star", status_code=status.HTTP_204_NO_CONTENT)
async def star_fit(session: SessionDep, viewer: ViewerDep, fit_id: Id) -> None:
    """Mark a fit for yourself."""
    await organising.set_star(session, viewer, fit_id, starred=True)


@router.delete("/{fit_id}/star", status_code=status.HTTP_204_NO_CONTENT)
async def unstar_fit(session: SessionDep, viewer: ViewerDep, fit_id: Id) -> None:
    """Take your mark away."""
    await organising.set_star(session, viewer, fit_id, starred=False)


@router.post("/{fit_id}/restore")
async def restore_fit(
    session: SessionDep, viewer: WriterDep, settings: SettingsDep, fit_id: Id, response: Response
) -> FitOut:
    """Take a fit out of the trash."""
    row = await organising.restore_fit(session, viewer, fit_id)
    fit = fit_out(row, mlflow=settings.urls.mlflow)
    send_etag(response, fit)
    return fit
