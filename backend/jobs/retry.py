"""When a job is tried again: a pure decision, tested without a database."""

from datetime import timedelta
from typing import Final

from pgqueuer.domain.errors import RetryRequested

LONGEST_WAIT: Final = timedelta(seconds=10)


def wait_before(tries: int) -> timedelta:
    """Seconds before try number `tries` + 1: doubling from one, never above ten."""
    return min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_WAIT)


def try_again(wait: timedelta, reason: str) -> RetryRequested:
    """Raise this to put the job back into the queue."""
    return RetryRequested(delay=wait, reason=reason)
