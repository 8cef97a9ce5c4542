"""A fit once more: as a script to take away, and as a second run that is compared."""

from fastapi import APIRouter, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import SessionDep
from backend.core.schemas import Id
from backend.fits import reproductions, scripts
from backend.fits.reproductions import reproduction_out
from backend.fits.result_schemas import ReproductionList, ReproductionOut

router = APIRouter(prefix="/fits/{fit_id}", tags=["fits"])


@router.get("/script", response_class=Response, responses={200: {"content": {"text/x-python": {}}}})
async def read_script(
    request: Request, session: SessionDep, viewer: ViewerDep, fit_id: Id
) -> Response:
    """A Python program that makes the fit's metrics from the version's downloaded Parquet file."""
    asked = await scripts.ask(session, viewer, fit_id)
    text = await run_in_threadpool(scripts.write, request.app.state.blobs, asked)
    name = f"fit-{fit_id}.py"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/x-python", headers=headers)


@router.post("/reproductions", status_code=status.HTTP_202_ACCEPTED)
async def reproduce_fit(
    session: SessionDep, viewer: WriterDep, fit_id: Id, response: Response
) -> ReproductionOut:
    """Run the fit again, and see whether the same numbers come out."""
    row = await reproductions.start(session, viewer, fit_id)
    response.headers["Location"] = f"/api/v1/fits/{fit_id}/reproductions/{row.id}"
    return reproduction_out(row)


@router.get("/reproductions")
async def list_reproductions(
    session: SessionDep, viewer: ViewerDep, fit_id: Id
) -> ReproductionList:
    """The second runs of a fit, the newest first, at most 100."""
    rows = await reproductions.list_all(session, viewer, fit_id)
    return ReproductionList(items=[reproduction_out(row) for row in rows])


@router.get("/reproductions/{reproduction_id}")
async def read_reproduction(
    session: SessionDep, viewer: ViewerDep, fit_id: Id, reproduction_id: Id
) -> ReproductionOut:
    """One second run."""
    return reproduction_out(await reproductions.read(session, viewer, fit_id, reproduction_id))


@router.post("/reproductions/{reproduction_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel_reproduction(
    session: SessionDep, viewer: WriterDep, fit_id: Id, reproduction_id: Id
) -> ReproductionOut:
    """Cancel a second run that waits or runs."""
    return reproduction_out(await reproductions.cancel(session, viewer, fit_id, reproduction_id))
