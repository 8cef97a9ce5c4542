"""Ends what a supervisor leaves behind, whatever ended the supervisor; standard library only.

Reads `mark TEXT`, `+ PID SIGNAL GRACE` and `- PID` lines; the end of the input means that the
supervisor is gone. Each leader gets its signal, then its grace, then its whole process group and
everything that carries the mark in its environment is killed. PostgreSQL (SIGINT) goes after all
others, for they still talk to it.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
POLL_SECONDS = 0.05


class Guarded(NamedTuple):
    """A group leader, the signal that asks it to end, and the seconds that it may take."""

    pid: int
    signal: int
    grace: float


class Registry:
    """What the supervisor told so far."""

    def __init__(self) -> None:
        self.mark = b""
        self.guarded: dict[int, Guarded] = {}

    def take(self, line: str) -> None:
        verb, *words = line.split()
        if verb == "mark":
            self.mark = words[0].encode()
        elif verb == "+":
            entry = Guarded(int(words[0]), int(words[1]), float(words[2]))
            self.guarded[entry.pid] = entry
        elif verb == "-":
            self.guarded.pop(int(words[0]), None)


def _stat(folder: Path) -> tuple[str, int] | None:
    """State and process group, or None when the process is gone."""
    try:
        words = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[2])


def _marked(folder: Path, mark: bytes) -> bool:
    if not mark:
        return False
    try:
        return mark in (folder / "environ").read_bytes()
    except OSError:
        return False


def members(groups: set[int], mark: bytes = b"") -> set[int]:
    """Living processes of these groups, and those that carry the mark.

    Zombies do not count: the first process of a container may never collect them.
    """
    if not (PROC / "self" / "stat").exists():
        return {group for group in groups if _signal(-group, 0)}
    found = set()
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        stat = _stat(folder)
        if stat and stat[0] not in "ZX" and (stat[1] in groups or _marked(folder, mark)):
            found.add(int(folder.name))
    return found


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def end(entries: list[Guarded], mark: bytes = b"") -> None:
    """Asks the leaders, waits for them, kills what is left."""
    if not entries and not mark:
        return
    groups = {entry.pid for entry in entries}
    for entry in entries:
        _signal(entry.pid, entry.signal)
    deadline = time.monotonic() + max((entry.grace for entry in entries), default=0)
    while time.monotonic() < deadline and members(groups) & groups:
        time.sleep(POLL_SECONDS)
    for _ in range(20):  # a process may fork between the look and the kill
        left = members(groups, mark)
        if not left:
            return
        for pid in left:
            _signal(pid, signal.SIGKILL)
            _signal(-pid if pid in groups else pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Waits for the end of the input, then cleans up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    registry = Registry()
    with contextlib.suppress(OSError):
        for line in sys.stdin:
            registry.take(line)
    entries = list(registry.guarded.values())
    databases = [entry for entry in entries if entry.signal == signal.SIGINT]
    end([entry for entry in entries if entry not in databases], registry.mark)
    if databases:
        end(databases)


if __name__ == "__main__":
    main()
