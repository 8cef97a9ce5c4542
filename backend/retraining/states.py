"""The states of a retraining and the moves between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from backend.core.errors import Conflict


class State(StrEnum):
    """Where a retraining stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


_COMPARED: Final = frozenset(
    {State.PROMOTED, State.REJECTED, State.WAITING_FOR_APPROVAL, State.FAILED, State.CANCELLED}
)
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    # Queued until the challenger's fit ended; running to running is a second try to compare.
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: _COMPARED | {State.RUNNING},
    State.WAITING_FOR_APPROVAL: frozenset({State.PROMOTED, State.REJECTED}),
    State.PROMOTED: frozenset(),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
ACTIVE: Final = (State.QUEUED, State.RUNNING)


class IllegalTransition(Conflict):
    """A retraining in this state cannot do that"""

    code = "illegal_transition"


def advance(current: str, to: State) -> State:
    """The new state, or an IllegalTransition."""
    if to not in TRANSITIONS[State(current)]:
        raise IllegalTransition(f"This retraining is {current}; it cannot become {to}.")
    return to
