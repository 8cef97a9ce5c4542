"""What people do with fits beside running them: names, notes, tags, stars, archive, trash."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import Conflict, field_error
from backend.fits.repository import FitRepository, TrashRepository
from backend.fits.reproductions import end_reproductions
from backend.fits.schemas import BulkAction, BulkOut, BulkRequest, FitUpdate
from backend.fits.service import cancel_held
from backend.fits.states import FINAL_STATES, FitState
from backend.projects.service import require_editor
from backend.tables import Fit, FitStar

MOST_TAGS: Final = 50
# They are the viewer's own, or only end something that runs.
_MARKS: Final = frozenset({"star", "unstar"})
_WHEN_ARCHIVED: Final = frozenset({"cancel"})


class FitNotInTrash(Conflict):
    """This fit is not in the trash"""

    code = "fit_not_in_trash"


async def update_fit(session: AsyncSession, viewer: Viewer, fit: Fit, data: FitUpdate) -> None:
    """Rename, describe, tag, archive."""
    changes = data.model_dump(include={"name", "notes", "tags"}, exclude_none=True)
    details = audit.assign(fit, changes)
    if details:
        audit.record(session, viewer, Action.FIT_UPDATED, about(fit), details=details)
    if data.archived is not None:
        await _set_archived(session, viewer, fit, is_archived=data.archived)
    await session.flush()


async def _set_archived(
    session: AsyncSession, viewer: Viewer, fit: Fit, *, is_archived: bool
) -> bool:
    """Out of the lists that nobody asked archived ones for; everything else goes on."""
    if is_archived == (fit.archived_at is not None):
        return False
    fit.archived_at = await database_time(session) if is_archived else None
    action = Action.FIT_ARCHIVED if is_archived else Action.FIT_UNARCHIVED
    audit.record(session, viewer, action, about(fit))
    return True


async def trash_fit(session: AsyncSession, viewer: Viewer, fit: Fit) -> bool:
    """Out of sight; an unfinished one is cancelled first."""
    if FitState(fit.state) not in FINAL_STATES:
        await cancel_held(session, viewer, fit)
    await end_reproductions(session, viewer, fit)
    fit.trashed_at = await database_time(session)
    audit.record(session, viewer, Action.FIT_TRASHED, about(fit))
    await session.flush()
    return True


async def restore_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Fit:
    """Back from the trash; what MLflow was not told of is recorded by the next chore."""
    fits = FitRepository(session, viewer)
    fit = await TrashRepository(session, viewer).find(fit_id, for_update=True)
    if fit is None:
        await fits.get(fit_id)
        raise FitNotInTrash("This fit is not in the trash.")
    await require_editor(session, viewer, fit.project_id)
    await _restore(session, viewer, fit)
    return await fits.get(fit_id)


async def _restore(session: AsyncSession, viewer: Viewer, fit: Fit) -> bool:
    if fit.trashed_at is None:
        return False
    fit.trashed_at = None
    audit.record(session, viewer, Action.FIT_RESTORED, about(fit))
    await session.flush()
    return True


async def set_star(session: AsyncSession, viewer: Viewer, fit_id: int, *, starred: bool) -> None:
    """A mark of the viewer's own, on any fit that they may read; nobody else sees it."""
    await FitRepository(session, viewer).get_results(fit_id)
    await _mark(session, viewer, fit_id, starred=starred)


async def _mark(session: AsyncSession, viewer: Viewer, fit_id: int, *, starred: bool) -> bool:
    """Whether that changed anything."""
    pair = {"user_id": viewer.user_id, "fit_id": fit_id}
    if starred:
        marking = insert(FitStar).values(pair).on_conflict_do_nothing().returning(FitStar.fit_id)
        return (await session.execute(marking)).first() is not None
    unmarking = delete(FitStar).filter_by(**pair).returning(FitStar.fit_id)
    return (await session.execute(unmarking)).first() is not None


async def _cancel(session: AsyncSession, viewer: Viewer, fit: Fit, _: BulkRequest) -> bool:
    if FitState(fit.state) in FINAL_STATES:
        return False
    await cancel_held(session, viewer, fit)
    return True


async def _archive(session: AsyncSession, viewer: Viewer, fit: Fit, data: BulkRequest) -> bool:
    return await _set_archived(session, viewer, fit, is_archived=data.action == "archive")


async def _trash(session: AsyncSession, viewer: Viewer, fit: Fit, _: BulkRequest) -> bool:
    return await trash_fit(session, viewer, fit)


async def _put_back(session: AsyncSession, viewer: Viewer, fit: Fit, _: BulkRequest) -> bool:
    return await _restore(session, viewer, fit)


async def _tag(session: AsyncSession, viewer: Viewer, fit: Fit, data: BulkRequest) -> bool:
    tags = {**fit.tags, **data.tags}
    if len(tags) > MOST_TAGS:
        raise field_error("tags", msg=f"fit {fit.id} would have more than {MOST_TAGS} tags")
    details = audit.assign(fit, {"tags": tags})
    if details:
        audit.record(session, viewer, Action.FIT_UPDATED, about(fit), details=details)
    return bool(details)


async def _star(session: AsyncSession, viewer: Viewer, fit: Fit, data: BulkRequest) -> bool:
    return await _mark(session, viewer, fit.id, starred=data.action == "star")


_Deed = Callable[[AsyncSession, Viewer, Fit, BulkRequest], Awaitable[bool]]
_DEEDS: Final[Mapping[BulkAction, _Deed]] = MappingProxyType(
    {
        "cancel": _cancel,
        "archive": _archive,
        "unarchive": _archive,
        "trash": _trash,
        "restore": _put_back,
        "tag": _tag,
        "star": _star,
        "unstar": _star,
    }
)


async def change_all(session: AsyncSession, viewer: Viewer, data: BulkRequest) -> BulkOut:
    """One action over several fits, in one transaction: all of them or none."""
    if (data.action == "tag") != bool(data.tags):
        raise field_error("tags", msg="`tag` needs tags, and no other action takes any")
    chosen = await _chosen(session, viewer, data)
    if data.action not in _MARKS:
        for project_id in sorted({fit.project_id for fit in chosen.values()}):
            also_archived = data.action in _WHEN_ARCHIVED
            await require_editor(session, viewer, project_id, also_archived=also_archived)
    answer = BulkOut(changed=[], unchanged=[])
    for fit_id, fit in chosen.items():
        is_changed = await _DEEDS[data.action](session, viewer, fit, data)
        (answer.changed if is_changed else answer.unchanged).append(fit_id)
    await session.flush()
    return answer


async def _chosen(session: AsyncSession, viewer: Viewer, data: BulkRequest) -> dict[int, Fit]:
    """The fits, held, in the order asked for; one that is not the viewer's refuses them all."""
    fits = FitRepository(session, viewer)
    found = {fit.id: fit for fit in await fits.lock_all(data.ids)}
    if data.action == "restore":
        # Those that are there already stay as they are.
        trash = await TrashRepository(session, viewer).lock_all(data.ids)
        found |= {fit.id: fit for fit in trash}
    wanted = list(dict.fromkeys(data.ids))
    if any(fit_id not in found for fit_id in wanted):
        raise fits.absent()
    return {fit_id: found[fit_id] for fit_id in wanted}
