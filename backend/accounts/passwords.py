"""Hashing and judging passwords, off the event loop."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, TypeVar

from zxcvbn import zxcvbn

from backend.core.errors import Unavailable, field_error
from backend.core.security import hash_password, verify_password

P = ParamSpec("P")
Result = TypeVar("Result")
# What is judged of a password: the time for it grows faster than the length.
JUDGED_LENGTH: Final = 100
# On zxcvbn's scale from 0 to 4: fewer than a hundred million guesses find it.
WEAKEST_SCORE: Final = 3
ADVICE: Final = "A sentence of a few words is good."
# Shorter ones are no more than letters.
_WORD: Final = re.compile(r"[^\W\d_]{3,}|\d{3,}")


class Queue:
    """Lets a few in at a time and a bounded number wait; who comes then is told so at once."""

    def __init__(self, *, at_once: int, longest: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + longest
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn.

        Raises
        ------
        Unavailable
            Too many wait already.
        """
        if self._inside >= self._most:
            raise Unavailable(
                "Too many people are signing in at this moment. Try again.", code="busy"
            )
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1


# Each hash takes 64 MB and a core for a twentieth of a second; the last of a full queue waits for
# about two seconds. Nobody may hold a connection to the database meanwhile.
_hashing: Final = Queue(at_once=2, longest=64)


async def hashed(password: str) -> str:
    """What is stored of a password."""
    return await _in_thread(hash_password, password)


async def fits(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long where there is none."""
    return await _in_thread(verify_password, password, password_hash)


async def accepted(password: str, *, field: str, username: str, email: str | None = None) -> str:
    """What is stored of a new password that the rules accept."""
    await refuse_common(password, field=field, username=username, email=email)
    return await hashed(password)


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
    core = _without_repetitions(password[:JUDGED_LENGTH], words)
    # zxcvbn cannot judge an empty text.
    judged = zxcvbn(core or " ", words, max_length=JUDGED_LENGTH)
    if judged["score"] >= WEAKEST_SCORE:
        return None
    reason = judged["feedback"]["warning"] or "This is easy to guess."
    if core != " ".join(password[:JUDGED_LENGTH].split()):
        reason = "What is repeated, or is the account's name or address, does not count."
    return f"{reason} {ADVICE}"


def _without_repetitions(password: str, about_account: Sequence[str]) -> str:
    """What guessing takes effort for: each word once, and none of the account's own."""
    known = {word.casefold() for name in about_account for word in _WORD.findall(name)}

    def first(found: re.Match[str]) -> str:
        word = found[0].casefold()
        if word in known:
            return ""
        known.add(word)
        return found[0]

    return " ".join(_WORD.sub(first, password).split())


async def _in_thread(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Hashing is slow on purpose: off the event loop, and a few at a time."""
    async with _hashing.turn():
        return await asyncio.to_thread(function, *args, **kwargs)
