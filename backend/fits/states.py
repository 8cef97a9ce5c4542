"""The states of a fit and the moves between them; nothing else changes a fit's state."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from backend.core.errors import Conflict


class FitState(StrEnum):
    """Where a fit stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Final[Mapping[FitState, frozenset[FitState]]] = {
    # Running to running is a new attempt after a lost worker; to queued, a worker that stops.
    FitState.QUEUED: frozenset({FitState.RUNNING, FitState.CANCELLED, FitState.FAILED}),
    FitState.RUNNING: frozenset(
        {
            FitState.QUEUED,
            FitState.RUNNING,
            FitState.SUCCEEDED,
            FitState.FAILED,
            FitState.CANCELLED,
        }
    ),
    FitState.SUCCEEDED: frozenset(),
    FitState.FAILED: frozenset(),
    FitState.CANCELLED: frozenset(),
}
FINAL_STATES: Final = frozenset(state for state, after in TRANSITIONS.items() if not after)


class IllegalTransition(Conflict):
    """A fit in this state cannot do that"""

    code = "illegal_transition"


def advance(current: FitState, to: FitState) -> FitState:
    """The new state, or an IllegalTransition."""
    if to not in TRANSITIONS[current]:
        raise IllegalTransition(f"This fit is {current}; it cannot become {to}.")
    return to
