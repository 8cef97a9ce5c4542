"""Objects from other processes arrive whole, whichever event loop waits for them."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable

import pytest
import uvloop

from backend.jobs.pipes import receive

LARGE = b"x" * 5_000_000


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_large_objects_arrive_whole_one_after_the_other(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()

    async def exchange() -> None:
        for _ in range(20):
            # In pieces, as the kernel takes them: the reader wakes with the first.
            sending = threading.Thread(target=theirs.send, args=(LARGE,))
            sending.start()
            assert await receive(ours) == LARGE
            sending.join()
            answering = threading.Thread(target=theirs.recv)
            answering.start()
            await asyncio.to_thread(ours.send, LARGE)
            answering.join()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(exchange())
    ours.close()
    theirs.close()


async def test_closed_pipe_is_told() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    theirs.close()
    with pytest.raises(EOFError):
        await receive(ours)
    ours.close()
