"""Signals as something to wait for, instead of exceptions at any line."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts the requests to stop; sleeps until one arrives or a child ends."""

    def __init__(self, wakeup: int) -> None:
        self.requests = 0
        self._wakeup: Final = wakeup

    def wait(self, seconds: float) -> None:
        """Sleeps at most this long; returns early at a signal or the end of a child."""
        readable, _, _ = select.select([self._wakeup], [], [], max(0.0, seconds))
        if readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Counts a request to stop."""
        self.requests += 1


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """A handler that does nothing; unlike SIG_IGN it lets the signal end a wait."""


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Takes over SIGINT, SIGTERM, SIGHUP and SIGCHLD for the time of the block (main thread)."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    stop = StopSignals(reading)
    before = {number: signal.signal(number, stop.note) for number in STOPPING}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _ignore)
    wakeup_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
