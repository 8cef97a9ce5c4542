"""A fit's log over HTTP: all at once, or as it happens."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from backend.accounts.dependencies import TokenDep, ViewerDep
from backend.accounts.service import identify
from backend.core.deps import ReadSessionDep, SettingsDep
from backend.core.schemas import Id
from backend.fits.events import read_events
from backend.fits.repository import FitRepository
from backend.fits.result_schemas import EventOut, LogOut
from backend.fits.streaming import event_content, stream

router = APIRouter(prefix="/fits", tags=["fits"])
LARGEST: Final = 2**63 - 1
EventId = Annotated[int, Query(ge=0, le=LARGEST)]
# Proxies pass every event on at once.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM: Final = {"text/event-stream": {"schema": {"type": "string"}}}
CONTENT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": STREAM}}


@router.get("/{fit_id}/log")
async def read_log(
    session: ReadSessionDep, viewer: ViewerDep, fit_id: Id, after: EventId = 0
) -> LogOut:
    """What the fit told, the oldest first; at most 500 events after the one named."""
    await FitRepository(session, viewer).get_results(fit_id)
    events = await read_events(session, fit_id, after)
    items = [EventOut.model_validate(event_content(event)) for event in events]
    return LogOut(items=items, last_id=items[-1].id if items else after)


@router.get("/{fit_id}/events", response_class=StreamingResponse, responses=CONTENT)
async def watch_fit(
    request: Request,
    session: ReadSessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    token: TokenDep,
    fit_id: Id,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> StreamingResponse:
    """Server-sent events: `state`, `log`, `metrics`, `trial`, `progress`, and `end`."""
    await FitRepository(session, viewer).get_results(fit_id)
    state = request.app.state
    # Here it is an answer; in the stream it would be one that breaks off.
    state.watchers.require_room(viewer.user_id)

    async def parts() -> AsyncIterator[bytes]:
        with state.watchers.watch(fit_id, viewer.user_id) as news:
            async for part in stream(
                state.read_sessions,
                lambda current: identify(current, token or "", settings),
                fit_id,
                after=last_event_id,
                news=news,
                is_stopping=lambda: state.watchers.is_stopping,
            ):
                yield part

    return StreamingResponse(parts(), media_type="text/event-stream", headers=HEADERS)
