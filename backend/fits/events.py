"""What a fit told while it ran: kept in its order, and announced to whoever watches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.fits.states import FitState
from backend.jobs.channels import announce
from backend.tables import FitEvent

READ_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a fit told."""

    kind: str
    content: Mapping[str, Any]


def storable_content(value: Any) -> Any:
    """Without what JSON does not know: a score that is no number is null."""
    if isinstance(value, Mapping):
        return {str(name): storable_content(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable_content(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\x00", "")
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)


async def save_events(
    session: AsyncSession, fit_id: int, attempt: int, events: Sequence[Event]
) -> None:
    """Keep what a fit told; the caller has asked whether the attempt is still the newest."""
    if not events:
        return
    rows = [
        {
            "fit_id": fit_id,
            "attempt": attempt,
            "kind": event.kind,
            "content": storable_content(event.content),
        }
        for event in events
    ]
    await session.execute(insert(FitEvent).inline(), rows)


async def tell_state(
    session: AsyncSession,
    fit_id: int,
    attempt: int,
    state: FitState,
    message: str,
    error: Mapping[str, Any] | None = None,
) -> None:
    """A change of state, in the transaction that changes it."""
    content: dict[str, Any] = {"state": state.value, "message": message}
    if error is not None:
        content["error"] = dict(error)
    await save_events(session, fit_id, attempt, [Event("state", content)])
    await announce(session, fit_id)


async def read_events(session: AsyncSession, fit_id: int, after: int) -> list[FitEvent]:
    """The next events after one that is known."""
    statement = (
        select(FitEvent)
        .where(FitEvent.fit_id == fit_id, FitEvent.id > after)
        .order_by(FitEvent.id)
        .limit(READ_AT_ONCE)
    )
    return list((await session.execute(statement)).scalars())
