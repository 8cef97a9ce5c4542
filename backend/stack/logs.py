"""The log files of the stack's processes."""

import os
from pathlib import Path
from typing import Final

ROTATE_BYTES: Final = 10_000_000
TAIL_BYTES: Final = 20_000


def rotate(log: Path) -> None:
    """Keeps one predecessor of a log that has grown large; done between two runs."""
    if log.exists() and log.stat().st_size > ROTATE_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, *, lines: int = 20) -> str:
    """The last lines, indented; empty when there is no log."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def open_log(log: Path) -> int:
    """A descriptor that appends, for a child to write to directly.

    Not a pipe through the supervisor: a broken pipe must never reach a process that is ending.
    """
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
