"""The check of histories finds what it is there for."""

import pytest

from tests.faults.history import Step, violations

QUEUED, FIRST, SECOND = Step("queued", 0), Step("running", 1), Step("running", 2)


@pytest.mark.parametrize(
    "steps",
    [
        [QUEUED, FIRST, Step("succeeded", 1)],
        [QUEUED, FIRST, SECOND, Step("succeeded", 2)],
        [QUEUED, FIRST, Step("queued", 1), SECOND, Step("failed", 2)],
        [QUEUED, Step("cancelled", 0)],
    ],
)
def test_a_right_history_has_no_violation(steps: list[Step]) -> None:
    assert violations(steps) == []


@pytest.mark.parametrize(
    "steps",
    [
        [QUEUED, FIRST],
        [QUEUED, Step("succeeded", 1)],
        [QUEUED, FIRST, SECOND, Step("succeeded", 1)],
        [QUEUED, FIRST, Step("succeeded", 1), Step("succeeded", 1)],
        [QUEUED, SECOND, FIRST, Step("succeeded", 1)],
    ],
)
def test_a_wrong_history_is_found(steps: list[Step]) -> None:
    assert violations(steps)
