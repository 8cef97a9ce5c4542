"""Grandchildren whose parent is gone come to the supervisor, which collects them.

Otherwise they would go to the machine's first process, which in a container may never do it.
"""

import ctypes
import os
import sys
from collections.abc import Collection
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36


def adopt_orphans() -> None:
    """Makes this process the parent of its descendants' orphans (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def collect_orphans(known: Collection[int]) -> None:
    """Takes note of the end of children that are not `known`; the known ones are left alone."""
    while sys.platform == "linux":
        try:
            # Look first: who waits for a known child must still find its exit code.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid in known:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)
        except ChildProcessError:
            return
