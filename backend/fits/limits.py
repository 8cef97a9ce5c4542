"""What one fit may take: by the settings, within them by its user, beyond them by nobody else."""

from dataclasses import dataclass
from typing import Final

from backend.core.access import Viewer
from backend.core.errors import field_error
from backend.fits.schemas import FitLimits
from backend.settings import FitSettings

NORMAL_PRIORITY: Final = 0
HIGH_PRIORITY: Final = 10
# Far above any model; a file that never ends must not fill the worker's disk.
LARGEST_FILE_BYTES: Final = 20_000_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What an attempt may take."""

    seconds: float
    memory_bytes: int

    @property
    def time_reason(self) -> str:
        """Why it ended, if it took longer."""
        return f"time limit {say_seconds(self.seconds)}"

    @property
    def memory_reason(self) -> str:
        """Why it ended, if it wanted more."""
        return f"memory limit {say_bytes(self.memory_bytes)}"


def terms_of(seconds: int | None, memory_bytes: int | None, limits: FitSettings) -> Terms:
    """What was asked for, or what the settings give."""
    return Terms(
        seconds=seconds or limits.time_limit.total_seconds(),
        memory_bytes=memory_bytes or limits.memory_limit,
    )


def check_limits(viewer: Viewer, asked: FitLimits, priority: str, limits: FitSettings) -> None:
    """Refuse what only administrators may ask for."""
    if viewer.sees_everything:
        return
    most = int(limits.max_time_limit.total_seconds())
    if asked.seconds is not None and asked.seconds > most:
        raise field_error("limits", "seconds", msg=f"at most {most} s on this server")
    if asked.memory_bytes is not None and asked.memory_bytes > limits.max_memory_limit:
        msg = f"at most {limits.max_memory_limit} bytes on this server"
        raise field_error("limits", "memory_bytes", msg=msg)
    if priority != "normal":
        raise field_error("priority", msg="only administrators let a fit go before all others")


def say_seconds(seconds: float) -> str:
    """A time as people say it: 1 h, 90 s."""
    for unit, size in (("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:,.0f} s"


def say_bytes(count: int) -> str:
    """An amount of memory as people say it: 2 GB, 500 MB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:,} bytes"
