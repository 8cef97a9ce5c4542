"""What a fit's events must look like, whatever was killed meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

FINAL = frozenset({"succeeded", "failed", "cancelled"})
# From -> to, as the design says it; written apart from the product's own table.
MOVES = {
    None: {"queued"},
    "queued": {"running", "cancelled", "failed"},
    "running": {"running", "queued", *FINAL},
}


@dataclass(frozen=True)
class Step:
    """One change of state that a fit told."""

    state: str
    attempt: int


def violations(steps: Sequence[Step]) -> list[str]:
    """What is wrong with the history of one fit that should have ended."""
    found = []
    before: str | None = None
    newest = 0
    for step in steps:
        if step.state not in MOVES.get(before, set()):
            found.append(f"{before} -> {step.state}")
        if step.state == "running" and step.attempt <= newest:
            found.append(f"attempt {step.attempt} began after attempt {newest}")
        if step.state == "succeeded" and step.attempt != newest:
            found.append(f"attempt {step.attempt} wrote while {newest} was the newest")
        newest = max(newest, step.attempt)
        before = step.state
    if before not in FINAL:
        found.append(f"ends as {before}")
    if sum(step.state in FINAL for step in steps) > 1:
        found.append("ended more than once")
    return found
