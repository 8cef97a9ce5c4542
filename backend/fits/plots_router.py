"""The plots of a fit: as PNG streams, and the numbers behind them."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from backend.accounts.dependencies import ViewerDep
from backend.core.deps import SessionDep
from backend.core.errors import Absent
from backend.core.etag import matches
from backend.core.schemas import Id
from backend.fits import results, service
from backend.fits.schemas import PlotList, PlotOut, PlotSummary, Theme
from backend.rendering import PlotFormat, plot_etag
from backend.tables import Fit

router = APIRouter(prefix="/fits", tags=["plots"])
PlotKind = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$")]
PNG_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "The plot"}
}


def _plot_digest(fit: Fit, kind: str) -> str:
    """The blob with the numbers of a plot that this fit has."""
    kinds = [plot["kind"] for plot in fit.outcome["plots"]]
    if kind not in kinds:
        has = ", ".join(kinds) or "none"
        raise Absent(f"This fit has no such plot. Its plots: {has}.")
    digest: str = fit.artifacts["plots"]
    return digest


@router.get("/{fit_id}/plots")
async def list_plots(session: SessionDep, viewer: ViewerDep, fit_id: Id) -> PlotList:
    """Which plots a fit has, and what each says."""
    fit = await service.finished_fit(session, viewer, fit_id)
    return PlotList(items=[PlotSummary.model_validate(plot) for plot in fit.outcome["plots"]])


@router.get("/{fit_id}/plots/{kind}.png", response_class=StreamingResponse, responses=PNG_RESPONSE)
async def draw_plot(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    fit_id: Id,
    kind: PlotKind,
    theme: Theme = "light",
    width: Annotated[int, Query(ge=200, le=2_400)] = 800,
    height: Annotated[int, Query(ge=150, le=1_800)] = 600,
    dpi: Annotated[int, Query(ge=50, le=300)] = 100,
    if_none_match: Annotated[str | None, Header(max_length=2_000)] = None,
) -> Response:
    """A plot as a PNG stream; it never changes, so its ETag answers 304 without drawing."""
    fit = await service.finished_fit(session, viewer, fit_id)
    digest = _plot_digest(fit, kind)
    style = PlotFormat(theme=theme, width=width, height=height, dpi=dpi)
    etag = plot_etag(digest, kind, style)
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if if_none_match is not None and matches(if_none_match, etag):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    await session.close()  # drawing must not hold a database connection
    renderer = request.app.state.renderer
    png = renderer.cached(etag)
    if png is None:
        blobs = request.app.state.blobs
        plots = await run_in_threadpool(results.read_plots, blobs, digest)
        numbers = json.dumps(plots[kind]["data"]).encode()
        png = await renderer.draw(etag, kind, numbers, style)
    headers["Content-Length"] = str(len(png))
    return StreamingResponse(_chunks(png), media_type="image/png", headers=headers)


async def _chunks(png: bytes) -> AsyncIterator[bytes]:
    """Async, since a plain iterator would be sent through a thread."""
    yield png


@router.get("/{fit_id}/plots/{kind}")
async def read_plot(
    request: Request, session: SessionDep, viewer: ViewerDep, fit_id: Id, kind: PlotKind
) -> PlotOut:
    """The numbers behind a plot."""
    fit = await service.finished_fit(session, viewer, fit_id)
    digest = _plot_digest(fit, kind)
    plots = await run_in_threadpool(results.read_plots, request.app.state.blobs, digest)
    return PlotOut.model_validate({"kind": kind, **plots[kind]})
