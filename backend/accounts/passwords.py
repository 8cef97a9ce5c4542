"""Hashing and judging passwords, off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, TypeVar

from zxcvbn import zxcvbn

from backend.core.errors import field_error
from backend.core.security import hash_password, verify_password

P = ParamSpec("P")
Result = TypeVar("Result")
# Each hash takes 64 MB and a core for a twentieth of a second.
_hashing: Final = asyncio.Semaphore(2)
# What is judged of a password: the time for it grows faster than the length.
JUDGED_LENGTH: Final = 100
# On zxcvbn's scale from 0 to 4: fewer than a million guesses find it.
WEAKEST_SCORE: Final = 2
ADVICE: Final = "A sentence of a few words is good."


async def hashed(password: str) -> str:
    """What is stored of a password."""
    return await _in_thread(hash_password, password)


async def fits(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long where there is none."""
    return await _in_thread(verify_password, password, password_hash)


async def refuse_common(
    password: str, *, field: str, username: str, email: str | None = None
) -> None:
    """A 422 about the field for what is guessed first: common, repeated, or about the account."""
    about_account = ["goodfit", username, *(email or "").split("@", 1)]
    problem = await _in_thread(_weakness, password, about_account)
    if problem is not None:
        raise field_error(field, msg=problem, kind="password_too_common")


def _weakness(password: str, about_account: Sequence[str]) -> str | None:
    words = [word for word in about_account if word]
    judged = zxcvbn(password[:JUDGED_LENGTH], words, max_length=JUDGED_LENGTH)
    if judged["score"] >= WEAKEST_SCORE:
        return None
    reason = judged["feedback"]["warning"] or "This is easy to guess."
    return f"{reason} {ADVICE}"


async def _in_thread(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Hashing is slow on purpose: off the event loop, and a few at a time."""
    async with _hashing:
        return await asyncio.to_thread(function, *args, **kwargs)
