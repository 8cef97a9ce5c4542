"""Hashing off the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from backend.core.security import hash_password, verify_password

P = ParamSpec("P")
Result = TypeVar("Result")
# Each hash takes 64 MB and a core for a twentieth of a second.
_hashing: Final = asyncio.Semaphore(2)


async def hashed(password: str) -> str:
    """What is stored of a password."""
    return await _in_thread(hash_password, password)


async def fits(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long where there is none."""
    return await _in_thread(verify_password, password, password_hash)


async def _in_thread(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Hashing is slow on purpose: off the event loop, and a few at a time."""
    async with _hashing:
        return await asyncio.to_thread(function, *args, **kwargs)
