"""What a signed-in caller was refused, noted after the refused transaction is gone."""

import logging
import time
from collections import OrderedDict
from typing import Any, Final

from fastapi import Request

from backend.core import audit
from backend.core.access import Viewer
from backend.core.actions import Action
from backend.core.audit import OBJECT_TYPES, Subject
from backend.core.db import transaction
from backend.core.errors import AppError
from backend.core.observability import route_template
from backend.core.schemas import MAXIMUM_ID

_log = logging.getLogger(__name__)
SECONDS: Final = 60.0
MOST_CALLERS: Final = 1_000
# Whoever tries more within a minute has been noticed.
MOST_PER_CALLER: Final = 100
LONGEST_PATH: Final = 200
_TYPES: Final = frozenset(OBJECT_TYPES.values()) | {"job"}


class RecentDenials:
    """What was noted within the last minute, by caller; bounded whatever is tried."""

    def __init__(self) -> None:
        self._noted: OrderedDict[object, dict[object, float]] = OrderedDict()

    def is_new(self, caller: object, what: object, now: float) -> bool:
        """Whether this is to be noted; a denial that is repeated within a minute is not."""
        known = self._noted.pop(caller, {})
        recent = {key: at for key, at in known.items() if now - at < SECONDS}
        self._noted[caller] = recent
        if len(self._noted) > MOST_CALLERS:
            self._noted.popitem(last=False)
        if what in recent or len(recent) >= MOST_PER_CALLER:
            return False
        recent[what] = now
        return True


_recent = RecentDenials()


def _subject(parameters: dict[str, Any]) -> Subject | None:
    """What the address named, whether it exists or not."""
    for name, value in parameters.items():
        kind = name.removesuffix("_id")
        text = str(value)
        if kind in _TYPES and text.isdecimal() and int(text) <= MAXIMUM_ID:
            return Subject(kind, int(text))
    return None


async def note(request: Request, error: AppError) -> None:
    """One row for the audit; that it cannot be written never changes the answer."""
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    if viewer is None or not error.is_denial:
        return
    what = (request.method, request.url.path[:LONGEST_PATH], error.status)
    if not _recent.is_new((viewer.user_id, viewer.token_id), what, time.monotonic()):
        return
    details = {
        "method": request.method,
        "route": route_template(request.scope),
        "status": error.status,
        "code": error.problem_code,
    }
    try:
        async with transaction(request.app.state.sessions) as session:
            audit.record(
                session,
                viewer,
                Action.ACCESS_DENIED,
                _subject(request.path_params),
                outcome="denied",
                details=details,
            )
    except Exception as problem:  # the caller's answer stands, whatever befell the note
        _log.warning("denial not noted", extra={"error": repr(problem), **details})
