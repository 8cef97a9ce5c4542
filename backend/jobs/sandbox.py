"""What a child process gives up before it works: network, memory and time without end."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
# Above the limit that the worker counts; for the case that the worker itself stands still.
CPU_GRACE_SECONDS: Final = 10
_DATA: Final = "VmData:"
# How libraries say that they got no memory; those that abort say it on stderr only.
MEMORY_WORDS: Final = (
    "bad_alloc",
    "bad allocation",
    "allocate memory",
    "unable to allocate",
    "memory allocation",
    "out of memory",
    "can't start new thread",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may take.

    Attributes
    ----------
    memory_bytes
        Above what the process has when it starts to work.
    seconds
        Of wall-clock time, which the worker counts, and of CPU time, which the kernel counts.
    file_bytes
        Of the largest file; one that never ends must not fill the worker's disk.
    stderr
        A file that takes what C libraries write to stderr; their last words say why they died.
    """

    memory_bytes: int | None = None
    seconds: float | None = None
    stderr: str | None = None
    file_bytes: int | None = None


def die_with_parent() -> None:
    """Linux: the kernel kills this process with the fork server, even inside C code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cut_network() -> bool:
    """Leave the network for an empty one; False where the system refuses. Before any thread."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    # Without a number in the new namespace nobody can make files.
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def apply_bounds(bounds: Bounds) -> None:
    """Let the kernel refuse memory above the bound, and end what computes without end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if bounds.memory_bytes is not None and sys.platform == "linux":
        # Of what can be written to, unlike RLIMIT_AS: libraries map far more than they use.
        most = _data_bytes() + bounds.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if bounds.seconds is not None:
        most = int(bounds.seconds) + CPU_GRACE_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    if bounds.file_bytes is not None:
        # Python ignores the signal, so that writing more is an OSError.
        resource.setrlimit(resource.RLIMIT_FSIZE, (bounds.file_bytes, bounds.file_bytes))
    if bounds.stderr is not None:
        _divert_stderr(bounds.stderr)


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(_DATA):
            return int(line.split()[1]) * 1024
    return 0


def _divert_stderr(path: str) -> None:
    """C libraries write to the file; Python's own lines go where they went."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 2)
    os.close(file)


def peak_memory_bytes() -> int:
    """The most memory that this process had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def is_want_of_memory(text: str) -> bool:
    """Whether a library's words mean that it got no memory."""
    lower = text.lower()
    return any(words in lower for words in MEMORY_WORDS)
