"""Answers of other processes, awaited without a thread."""

import asyncio
import os
from multiprocessing.connection import Connection
from typing import Any


async def receive(connection: Connection) -> Any:
    """The next object from a pipe; cancelling takes effect at once.

    Raises
    ------
    EOFError
        The other end is closed.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection.fileno())
        # uvloop leaves it non-blocking, and a large object comes in several pieces.
        os.set_blocking(connection.fileno(), True)
    return await asyncio.to_thread(connection.recv)
