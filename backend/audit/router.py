"""The audit over HTTP: all of it for administrators, their own history for everybody."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from backend.accounts.dependencies import AdminDep, ViewerDep
from backend.audit.export import open_export
from backend.audit.repository import AuditRepository
from backend.audit.schemas import AuditEventOut, AuditFilter
from backend.core.actions import Action, Outcome
from backend.core.deps import SessionDep, SignerDep
from backend.core.schemas import Id, Moment, Page, StorableText
from backend.tables import AuditEvent

router = APIRouter(tags=["audit"])

LimitQuery = Annotated[int, Query(ge=1, le=200)]
CursorQuery = Annotated[StorableText | None, Query(max_length=2_000)]
SortQuery = Annotated[Literal["-at"], Query(alias="sort", description="The newest first")]
CSV_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


async def _filter(
    actor: Annotated[StorableText | None, Query(max_length=200, description="A name")] = None,
    action: Annotated[Action | None, Query()] = None,
    outcome: Annotated[Outcome | None, Query()] = None,
    object_type: Annotated[StorableText | None, Query(max_length=50)] = None,
    object_id: Annotated[Id | None, Query()] = None,
    project_id: Annotated[Id | None, Query()] = None,
    address: Annotated[StorableText | None, Query(max_length=100)] = None,
    since: Annotated[Moment | None, Query(description="From this moment on")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment")] = None,
) -> AuditFilter:
    return AuditFilter(
        actor=actor,
        action=action,
        outcome=outcome,
        object_type=object_type,
        object_id=object_id,
        project_id=project_id,
        address=address,
        since=since,
        until=until,
    )


FilterDep = Annotated[AuditFilter, Depends(_filter)]


@router.get("/operations/audit")
async def list_events(
    session: SessionDep,
    viewer: AdminDep,
    signer: SignerDep,
    filter_by: FilterDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    _sort: SortQuery = "-at",
) -> Page[AuditEventOut]:
    """Who did what to which object, when and from where."""
    rows, next_cursor = await AuditRepository(session, viewer).page(
        filter_by, limit=limit, cursor=cursor, signer=signer
    )
    items = [AuditEventOut.model_validate(row) for row in rows]
    return Page[AuditEventOut](items=items, next_cursor=next_cursor)


@router.get("/operations/audit.csv", response_class=StreamingResponse, responses=CSV_CONTENT)
async def export_events(
    request: Request, session: SessionDep, viewer: AdminDep, filter_by: FilterDep
) -> StreamingResponse:
    """The same as CSV that is safe to open, however long it is."""
    await session.close()  # the parts have connections of their own
    parts = await open_export(request.app.state.read_sessions, viewer, filter_by)
    headers = {
        "Content-Disposition": 'attachment; filename="audit.csv"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(parts, media_type="text/csv", headers=headers)


@router.get("/users/me/history")
async def read_own_history(
    session: SessionDep,
    viewer: ViewerDep,
    signer: SignerDep,
    filter_by: FilterDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    _sort: SortQuery = "-at",
) -> Page[AuditEventOut]:
    """What the caller did, and what others did to the caller's account."""
    rows, next_cursor = await AuditRepository(session, viewer).page_own(
        filter_by, limit=limit, cursor=cursor, signer=signer
    )
    items = [_own_out(row, viewer.user_id) for row in rows]
    return Page[AuditEventOut](items=items, next_cursor=next_cursor)


def _own_out(row: AuditEvent, user_id: int) -> AuditEventOut:
    """Of what others did their name, and not where they sit nor which token they hold."""
    event = AuditEventOut.model_validate(row)
    if row.actor_id == user_id:
        return event
    return event.model_copy(update={"address": None, "token_id": None})
