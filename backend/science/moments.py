"""Moments as numbers: days since the first of January 1970, in UTC."""

from datetime import UTC, datetime
from typing import Final

SECONDS_PER_DAY: Final = 86_400.0


def days_since_1970(text: str) -> float:
    """A date or moment in ISO 8601 as days.

    Raises
    ------
    ValueError
        The text is neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - datetime(1970, 1, 1)).total_seconds() / SECONDS_PER_DAY  # noqa: DTZ001  # stored dates are naive too
